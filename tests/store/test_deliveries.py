"""Deliveries are leased to one process for each endpoint, and their results are stored with the endpoint's health."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.store import LeasedDelivery, Store
from tests.manual_clock import NOON

from .builders import DAY, HOUR, MINUTE, OTHER_OWNER, OWNER, connect, new_user_id
from .conftest import DatabaseUnderTest
from .event_builders import (
    LEASE_SECONDS,
    delivered,
    get_endpoint,
    lease_deliveries,
    listed,
    number_all,
    refused,
    save_endpoint,
    settle,
    write_events,
)

LEASE_END = NOON + timedelta(seconds=LEASE_SECONDS)
MAX_WHEN_FAILING = 8


async def make_due(store: Store, count: int = 1) -> list[str]:
    """Writes events for the endpoints that exist; returns nothing that is leased yet."""
    await write_events(store, count)
    await number_all(store)
    return [event.id for event in await listed(store)]


async def lease_one(store: Store, *, owner: str = OWNER, now: datetime = NOON) -> LeasedDelivery:
    [leased] = await lease_deliveries(store, owner=owner, now=now)
    return leased


def by_endpoint(leased: list[LeasedDelivery]) -> dict[str, int]:
    ids = [delivery.endpoint_id for delivery in leased]
    return {id: ids.count(id) for id in ids}


# Leases


async def test_a_leased_delivery_has_its_event_and_its_endpoint(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store, url="https://a.example", encrypted_secrets="canary")
    [event_id] = await make_due(store)
    leased, [event] = await lease_one(store), database.rows("events")
    assert (leased.endpoint_id, leased.url, leased.encrypted_secrets) == (
        id,
        "https://a.example",
        "canary",
    )
    assert (leased.event_id, leased.seq, leased.type) == (event_id, 1, "tiktok.0")
    assert json.loads(leased.data_json) == event["data"]
    assert (leased.created_at, leased.attempts) == (NOON, 0)
    assert "canary" not in repr(leased)


async def test_a_delivery_is_leased_to_one_owner_until_the_lease_ends(store: Store) -> None:
    await save_endpoint(store)
    await make_due(store)
    first = await lease_one(store)
    just_before = LEASE_END - timedelta(microseconds=1)
    assert await lease_deliveries(store, now=just_before) == []
    assert await lease_deliveries(store, owner=OTHER_OWNER, now=just_before) == []
    assert await lease_one(store, owner=OTHER_OWNER, now=LEASE_END) == first


async def test_the_deliveries_of_an_endpoint_are_leased_by_one_owner_at_a_time(
    store: Store,
) -> None:
    first, second = await save_endpoint(store), await save_endpoint(store, events=["tiktok.2"])
    await make_due(store, 2)
    assert by_endpoint(await lease_deliveries(store, max_rows=1)) == {first: 1}
    await make_due(store, 3)
    assert by_endpoint(await lease_deliveries(store, owner=OTHER_OWNER)) == {second: 1}
    assert by_endpoint(await lease_deliveries(store)) == {first: 4}
    assert len(await lease_deliveries(store, owner=OTHER_OWNER, now=LEASE_END)) == 6


async def test_at_most_the_requested_deliveries_of_an_endpoint_are_leased_at_a_time(
    store: Store,
) -> None:
    first, second = await save_endpoint(store), await save_endpoint(store)
    await make_due(store, 5)
    leased = await lease_deliveries(store, max_per_endpoint=3)
    assert by_endpoint(leased) == {first: 3, second: 3}
    assert await lease_deliveries(store, max_per_endpoint=3) == []
    await settle(store, delivered(next(d for d in leased if d.endpoint_id == first)))
    assert by_endpoint(await lease_deliveries(store, max_per_endpoint=3)) == {first: 1}


@pytest.mark.parametrize(("max_per_endpoint", "expected"), [(12, MAX_WHEN_FAILING), (3, 3)])
async def test_a_failing_endpoint_has_at_most_eight_leased_deliveries(
    store: Store, max_per_endpoint: int, expected: int
) -> None:
    await save_endpoint(store)
    await make_due(store, 20)
    [one] = await lease_deliveries(store, max_rows=1)
    await settle(store, refused(one))
    leased = await lease_deliveries(store, max_per_endpoint=max_per_endpoint)
    assert len(leased) == expected
    assert await lease_deliveries(store, max_per_endpoint=max_per_endpoint) == []
    await settle(store, delivered(leased[0]))
    leased = await lease_deliveries(store, max_per_endpoint=max_per_endpoint)
    assert len(leased) == max_per_endpoint - expected + 1


async def test_more_leased_deliveries_than_a_failing_endpoint_may_have_are_no_error(
    store: Store,
) -> None:
    await save_endpoint(store)
    await make_due(store, 30)
    leased = await lease_deliveries(store, max_rows=20)
    await settle(store, refused(leased[0]))
    assert await lease_deliveries(store) == []


async def test_the_deliveries_that_have_been_due_longest_are_leased_first(store: Store) -> None:
    await save_endpoint(store)
    await make_due(store, 3)
    leased = await lease_deliveries(store, max_rows=2)
    assert [delivery.seq for delivery in leased] == [1, 2]
    await settle(store, refused(leased[0]), refused(leased[1], delay_seconds=30))
    later = NOON + HOUR
    assert [d.seq for d in await lease_deliveries(store, max_rows=2, now=later)] == [2, 3]
    assert [d.seq for d in await lease_deliveries(store, max_rows=2, now=later)] == [1]


async def test_many_processes_lease_each_delivery_once(database: DatabaseUnderTest) -> None:
    stores = [await database.open_store() for _ in range(4)]
    for _ in range(5):
        await save_endpoint(stores[0])
    await make_due(stores[0], 20)

    async def lease_all(number: int) -> list[LeasedDelivery]:
        store, owner, leased = stores[number % 4], f"owner-{number}", []
        while part := await lease_deliveries(store, owner=owner, max_rows=7):
            leased += part
        return leased

    parts = await asyncio.gather(*map(lease_all, range(8)))
    ids = [delivery.id for part in parts for delivery in part]
    assert len(set(ids)) == len(ids) == 100
    owners = [endpoint for part in parts for endpoint in by_endpoint(part)]
    assert len(set(owners)) == len(owners) == 5


async def test_the_owner_releases_its_leases_only(store: Store) -> None:
    first = await save_endpoint(store, events=["tiktok.0"])
    await make_due(store)
    await lease_one(store)
    second = await save_endpoint(store, events=["tiktok.1"])
    await make_due(store, 2)
    await lease_deliveries(store, owner=OTHER_OWNER)
    await store.release_deliveries(lease_owner=OWNER, now=NOON)
    assert by_endpoint(await lease_deliveries(store, owner="owner-3")) == {first: 2}
    await store.release_deliveries(lease_owner=OTHER_OWNER, now=NOON)
    assert by_endpoint(await lease_deliveries(store, owner="owner-3")) == {second: 1}


# Results


async def row(store: Store) -> dict[str, Any]:
    [delivery] = await store.list_deliveries(max_rows=10)
    columns = {"state", "attempts", "last_status", "last_error", "last_at", "last_ms", "due_at"}
    return delivery.model_dump(include=columns | {"delivered_at"})


async def test_a_result_is_stored_with_the_time_of_the_next_attempt(store: Store) -> None:
    await save_endpoint(store)
    await make_due(store)
    failed = {
        "state": "pending",
        "attempts": 1,
        "last_status": 500,
        "last_error": "The endpoint responded with 500.",
        "last_at": NOON + MINUTE,
        "last_ms": 30,
        "due_at": NOON + 2 * MINUTE,
        "delivered_at": None,
    }
    await settle(store, refused(await lease_one(store)), now=NOON + MINUTE)
    assert await row(store) == failed
    retried = await lease_one(store, now=NOON + 2 * MINUTE)
    assert retried.attempts == 1
    await settle(store, delivered(retried), now=NOON + 2 * MINUTE)
    assert await row(store) == failed | {
        "state": "delivered",
        "attempts": 2,
        "last_status": 200,
        "last_error": None,
        "last_at": NOON + 2 * MINUTE,
        "last_ms": 20,
        "due_at": None,
        "delivered_at": NOON + 2 * MINUTE,
    }
    assert await lease_deliveries(store, now=NOON + DAY) == []


async def test_a_settled_delivery_is_no_longer_leased(store: Store) -> None:
    await save_endpoint(store)
    await make_due(store)
    await settle(store, refused(await lease_one(store), delay_seconds=0))
    assert (await lease_one(store, owner=OTHER_OWNER)).attempts == 1


async def test_a_result_of_an_owner_that_has_lost_the_lease_changes_nothing(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await make_due(store)
    late = await lease_one(store)
    await lease_one(store, owner=OTHER_OWNER, now=LEASE_END)
    before = database.rows("deliveries"), await get_endpoint(store, id)
    assert await settle(store, refused(late, endpoint_gone=True), now=LEASE_END) == []
    assert (database.rows("deliveries"), await get_endpoint(store, id)) == before


async def test_a_result_after_the_lease_is_stored_if_no_other_owner_has_it(store: Store) -> None:
    await save_endpoint(store)
    await make_due(store)
    await settle(store, delivered(await lease_one(store)), now=NOON + HOUR)
    assert (await row(store))["state"] == "delivered"


async def test_a_second_result_of_the_same_delivery_changes_nothing(store: Store) -> None:
    id = await save_endpoint(store)
    await make_due(store)
    leased = await lease_one(store)
    await settle(store, delivered(leased), delivered(leased))
    await settle(store, refused(leased))
    assert (await row(store))["attempts"] == 1
    assert (await get_endpoint(store, id)).delivered_24h == 1


async def test_no_results_change_nothing(store: Store) -> None:
    assert await settle(store) == []


async def test_a_result_of_a_deleted_endpoint_changes_nothing(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id, other = await save_endpoint(store), await save_endpoint(store)
    await make_due(store)
    leased = await lease_deliveries(store)
    assert await store.delete_endpoint(id)
    assert await settle(store, *map(delivered, leased)) == []
    assert [row["endpoint_id"] for row in database.rows("deliveries")] == [other]
    assert [row["endpoint_id"] for row in database.rows("delivery_counts")] == [other]
    assert await lease_deliveries(store, now=NOON + HOUR) == []


async def test_a_result_of_an_event_that_was_erased_changes_nothing(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await save_endpoint(store)
    await connect(store, user)
    await number_all(store)
    leased = await lease_one(store)
    await store.erase_user(user)
    assert await settle(store, delivered(leased)) == []
    assert (database.rows("deliveries"), database.rows("delivery_counts")) == ([], [])
