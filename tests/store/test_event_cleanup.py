"""Old events, deliveries and webhooks are deleted, and those of an erased person."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest

from connector.maintenance.cleanup import CLEANUP_INTERVAL, RETENTION
from connector.store import EventBounds, Store
from tests.manual_clock import NOON

from .builders import DAY, HOUR, MINUTE, connect, new_user_id
from .conftest import DatabaseUnderTest
from .event_builders import (
    deliver_all,
    delivered,
    get_endpoint,
    lease_deliveries,
    listed,
    number_all,
    receive,
    refused,
    save_endpoint,
    settle,
    write_events,
)

EVENT_LIMIT, WEBHOOK_LIMIT = 30 * DAY, 20 * DAY
OLD = NOON - EVENT_LIMIT - MINUTE


async def cleanup(store: Store, *, now: datetime = NOON, max_rows: int = 100) -> bool:
    retention = replace(RETENTION, events=EVENT_LIMIT, webhooks=WEBHOOK_LIMIT)
    return await store.delete_old_rows(
        retention, interval=CLEANUP_INTERVAL, now=now, max_rows=max_rows
    )


async def test_old_events_are_deleted_with_their_deliveries(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await save_endpoint(store)
    await write_events(store, 3, now=OLD)
    await deliver_all(store, now=OLD)
    await write_events(store, 2, now=NOON - EVENT_LIMIT)
    await number_all(store)
    assert not await cleanup(store)
    assert await store.get_event_bounds() == EventBounds(oldest=4, last=5)
    assert [event.seq for event in await listed(store)] == [4, 5]
    rows = await store.list_deliveries(max_rows=10)
    assert [(row.seq, row.state) for row in rows] == [(5, "pending"), (4, "pending")]
    assert len(database.rows("deliveries")) == 2


async def test_numbers_continue_after_all_events_were_deleted(store: Store) -> None:
    await write_events(store, 3, now=OLD)
    await number_all(store)
    await cleanup(store)
    assert await store.get_event_bounds() == EventBounds(oldest=4, last=3)
    await write_events(store)
    assert await number_all(store) == 4
    assert await store.get_event_bounds() == EventBounds(oldest=4, last=4)


async def test_skipped_numbers_are_not_given_and_readers_see_that_they_are_gone(
    store: Store,
) -> None:
    await store.skip_event_numbers(100)
    assert await store.get_event_bounds() == EventBounds(oldest=101, last=100)
    await write_events(store, 2)
    assert await number_all(store) == 102
    assert await store.skip_event_numbers(100) == EventBounds(oldest=203, last=202)
    await write_events(store)
    assert await number_all(store) == 203


async def test_an_old_event_without_a_number_is_deleted_after_it_has_one(
    database: DatabaseUnderTest,
) -> None:
    """The service may have been stopped for a long time. A reader then sees that it has missed something."""
    store = await database.open_store()
    await write_events(store, now=OLD)
    assert not await cleanup(store)
    assert len(database.rows("events")) == 1
    await number_all(store)
    assert not await cleanup(store, now=NOON + CLEANUP_INTERVAL)
    assert database.rows("events") == []
    assert await store.get_event_bounds() == EventBounds(oldest=2, last=1)


async def test_one_cleanup_call_deletes_at_most_the_requested_events_and_webhooks(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await write_events(store, 5, now=OLD)
    await number_all(store)

    def row_counts() -> tuple[int, int]:
        return len(database.rows("events")), len(database.rows("webhooks"))

    assert await cleanup(store, max_rows=3)
    assert row_counts() == (2, 2)
    assert not await cleanup(store, max_rows=3)
    assert row_counts() == (0, 0)


@pytest.mark.parametrize("disabled_by", ["410", "request"])
async def test_the_deliveries_of_a_disabled_endpoint_are_dropped_in_several_calls(
    database: DatabaseUnderTest, disabled_by: str
) -> None:
    """In one call, a million would take longer than the database allows. Then nothing could be delivered."""
    store = await database.open_store()
    id = await save_endpoint(store)
    other = await save_endpoint(store)
    await write_events(store, 5)
    await number_all(store)
    leased = await lease_deliveries(store)

    def states(endpoint_id: str) -> Counter[str]:
        rows = database.rows("deliveries")
        return Counter(row["state"] for row in rows if row["endpoint_id"] == endpoint_id)

    if disabled_by == "410":
        [gone, *_] = [delivery for delivery in leased if delivery.endpoint_id == id]
        assert await settle(store, refused(gone, endpoint_gone=True), max_dropped=2) == [id]
    else:
        await store.update_endpoint(id, state="disabled", max_dropped=2, now=NOON)
    assert states(id) == {"dropped": 2, "pending": 3}
    leased = await lease_deliveries(store, owner="other", now=NOON + HOUR)
    assert {delivery.endpoint_id for delivery in leased} == {other}
    assert await cleanup(store, max_rows=2)
    assert states(id) == {"dropped": 4, "pending": 1}
    assert not await cleanup(store, max_rows=2)
    assert (states(id), states(other)) == ({"dropped": 5}, {"pending": 5})


async def test_webhooks_have_their_own_limit_and_the_time_of_the_last_one_stays(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await receive(store, "old", now=NOON - WEBHOOK_LIMIT - MINUTE)
    await receive(store, "new", now=NOON - WEBHOOK_LIMIT)
    await number_all(store)
    await cleanup(store)
    assert [row.digest for row in await store.list_webhooks(max_rows=5)] == ["new"]
    assert len(database.rows("events")) == 2
    await cleanup(store, now=NOON + EVENT_LIMIT)
    assert (database.rows("webhooks"), database.rows("events")) == ([], [])
    [app] = await store.list_webhook_apps()
    assert app.last_webhook_at == NOON - WEBHOOK_LIMIT


async def test_the_counts_of_attempts_are_deleted_after_the_limit_of_events(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await save_endpoint(store)
    for now in (OLD - HOUR, NOON - EVENT_LIMIT + HOUR, NOON):
        await write_events(store, now=now)
        await deliver_all(store, now=now)
    assert len(database.rows("delivery_counts")) == 3
    await cleanup(store)
    assert len(database.rows("delivery_counts")) == 2


async def test_the_result_of_a_delivery_whose_event_was_deleted_changes_nothing(
    store: Store,
) -> None:
    id = await save_endpoint(store)
    await write_events(store, now=OLD)
    await number_all(store)
    [leased] = await lease_deliveries(store)
    await cleanup(store)
    assert await settle(store, delivered(leased)) == []
    assert (await get_endpoint(store, id)).delivered_24h == 0


async def test_deleting_an_endpoint_deletes_its_deliveries_and_counts(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id, other = await save_endpoint(store), await save_endpoint(store)
    await write_events(store, 2)
    await deliver_all(store)
    assert await store.delete_endpoint(id)
    assert [endpoint.id for endpoint in await store.list_endpoints(now=NOON)] == [other]
    for table in ("deliveries", "delivery_counts"):
        assert {row["endpoint_id"] for row in database.rows(table)} == {other}
    assert len(await listed(store)) == 2


# Erasing a person


async def test_erasing_a_user_deletes_their_events_deliveries_and_webhooks(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await save_endpoint(store)
    await connect(store, user)
    await receive(store, reason=1)
    await receive(store, event="video.failed")
    await deliver_all(store)
    await store.erase_user(user)
    for table in ("events", "deliveries", "webhooks"):
        assert database.rows(table) == [], table
    assert len(await store.list_webhook_apps()) == 1


async def test_erasing_a_user_keeps_the_events_and_webhooks_of_others(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await save_endpoint(store)
    await connect(store, tiktok_user_id="other")
    await receive(store, tiktok_user_id="other", reason=5)
    await receive(store, tiktok_user_id=None, event="video.failed")
    await number_all(store)
    tables = ("events", "deliveries", "webhooks")
    before = {table: database.rows(table) for table in tables}
    await connect(store, user)
    await receive(store, reason=1)
    await number_all(store)
    await store.erase_user(user)
    assert {table: database.rows(table) for table in tables} == before
    await write_events(store)
    assert await number_all(store) == 7
