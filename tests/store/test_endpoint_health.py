"""The health of an endpoint is stored with its results, and an endpoint that always fails is disabled."""

from __future__ import annotations

from connector.store import Store
from tests.manual_clock import NOON

from .builders import DAY, HOUR, MINUTE
from .conftest import DatabaseUnderTest
from .event_builders import (
    GONE,
    delivered,
    disabled_events,
    exhausted,
    fail,
    get_endpoint,
    lease_deliveries,
    lease_new,
    number_all,
    refused,
    save_endpoint,
    settle,
)

# Health


async def test_failures_are_counted_until_a_delivery_succeeds(store: Store) -> None:
    id = await save_endpoint(store)
    await fail(store)
    await fail(store, now=NOON + HOUR)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.failing_since, endpoint.failures) == (NOON, 2)
    assert endpoint.last_success_at is None
    leased = await lease_new(store, 2, now=NOON + HOUR)
    await settle(store, delivered(leased[0]), refused(leased[1]), now=NOON + 2 * HOUR)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.failing_since, endpoint.failures) == (None, 0)
    assert endpoint.last_success_at == NOON + 2 * HOUR


async def test_attempts_of_the_last_24_hours_are_counted_for_each_endpoint(
    store: Store,
) -> None:
    id = await save_endpoint(store, events=["tiktok.*"])
    other = await save_endpoint(store, events=["connection.*"])
    for now in (NOON - DAY - MINUTE, NOON - 23 * HOUR, NOON):
        first, second, third, *_ = await lease_new(store, 3, now=now)
        results = delivered(first), delivered(second), refused(third, delay_seconds=1e8)
        await settle(store, *results, now=now)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.delivered_24h, endpoint.failed_24h, endpoint.pending) == (4, 2, 3)
    endpoint = await get_endpoint(store, other)
    assert (endpoint.delivered_24h, endpoint.failed_24h, endpoint.pending) == (0, 0, 0)


# An endpoint is disabled


async def test_an_endpoint_that_is_gone_is_disabled_and_its_deliveries_are_dropped(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id, other = await save_endpoint(store), await save_endpoint(store)
    leased = await lease_new(store, 3)
    gone = next(delivery for delivery in leased if delivery.endpoint_id == id)
    assert await settle(store, refused(gone, status=410, endpoint_gone=True)) == [id]
    endpoint = await get_endpoint(store, id)
    assert (endpoint.state, endpoint.disabled_reason) == ("disabled", GONE)
    rows = database.rows("deliveries")
    assert {row["state"] for row in rows if row["endpoint_id"] == id} == {"dropped"}
    assert {row["state"] for row in rows if row["endpoint_id"] == other} == {"pending"}
    assert disabled_events(database) == [
        {"endpoint": {"id": id, "url": endpoint.url, "reason": GONE}}
    ]


async def test_other_endpoints_get_the_event_that_an_endpoint_was_disabled(store: Store) -> None:
    id, other = await save_endpoint(store), await save_endpoint(store)
    leased = await lease_new(store)
    of_id, of_other = sorted(leased, key=lambda delivery: delivery.endpoint_id != id)
    await settle(store, refused(of_id, endpoint_gone=True), delivered(of_other))
    await number_all(store)
    [delivery] = await lease_deliveries(store)
    assert (delivery.type, delivery.endpoint_id) == ("endpoint.disabled", other)


async def test_an_endpoint_without_success_for_five_days_is_disabled_once(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    last = NOON + 5 * DAY
    assert await fail(store) == []
    leased = await lease_new(store, now=NOON + 4 * DAY)
    assert await settle(store, *map(exhausted, leased), now=NOON + 4 * DAY) == []
    assert await fail(store, now=last - MINUTE) == []
    assert await fail(store, now=last) == [id]
    assert await fail(store, now=last) == []
    reason = "No delivery has succeeded since 2026-11-20."
    assert (await get_endpoint(store, id)).disabled_reason == reason
    assert len(disabled_events(database)) == 1


async def test_an_endpoint_is_not_disabled_before_all_attempts_of_a_delivery_have_failed(
    store: Store,
) -> None:
    await save_endpoint(store)
    await fail(store)
    assert await fail(store, now=NOON + 6 * DAY) == []
    leased = await lease_new(store, now=NOON + 6 * DAY)
    assert await settle(store, *map(exhausted, leased), now=NOON + 6 * DAY) != []


async def test_a_success_within_five_days_prevents_that_an_endpoint_is_disabled(
    store: Store,
) -> None:
    await save_endpoint(store)
    leased = await lease_new(store)
    await settle(store, *map(exhausted, leased))
    leased = await lease_new(store, now=NOON + DAY)
    await settle(store, *map(delivered, leased), now=NOON + DAY)
    assert await fail(store, now=NOON + 2 * DAY) == []
    assert await fail(store, now=NOON + 6 * DAY) == []
    assert await fail(store, now=NOON + 7 * DAY) == []  # Exhausted before the success.
