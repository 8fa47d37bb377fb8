"""Deliveries are listed, and events are delivered again after a replay."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from connector.store import ReplayResult, Store
from tests.manual_clock import NOON

from .builders import DAY, HOUR, MINUTE, connect
from .conftest import DatabaseUnderTest
from .event_builders import (
    deliver_all,
    delivered,
    exhausted,
    get_endpoint,
    lease_deliveries,
    number_all,
    refused,
    replay,
    save_endpoint,
    settle,
    write_events,
)

NOTHING = ReplayResult(count=0, more=False, last_created_at=None)

# Lists


async def test_deliveries_are_listed_from_the_newest_in_pages(store: Store) -> None:
    await save_endpoint(store)
    await write_events(store, 5)
    await number_all(store)
    first = await store.list_deliveries(max_rows=2)
    second = await store.list_deliveries(max_rows=2, before_id=first[-1].id)
    third = await store.list_deliveries(max_rows=2, before_id=second[-1].id)
    assert [row.seq for row in first + second + third] == [5, 4, 3, 2, 1]
    assert await store.list_deliveries(max_rows=2, before_id=third[-1].id) == []


async def test_deliveries_are_listed_by_endpoint_and_state(store: Store) -> None:
    id, other = await save_endpoint(store), await save_endpoint(store, events=["tiktok.0"])
    await write_events(store, 3)
    await number_all(store)
    leased = await lease_deliveries(store)
    await settle(store, *(delivered(row) for row in leased if row.seq == 1))
    of_id = await store.list_deliveries(endpoint_id=id, max_rows=10)
    assert [(row.seq, row.state) for row in of_id] == [
        (3, "pending"),
        (2, "pending"),
        (1, "delivered"),
    ]
    [only] = await store.list_deliveries(endpoint_id=other, max_rows=10)
    assert (only.endpoint_id, only.type, only.seq) == (other, "tiktok.0", 1)
    both = await store.list_deliveries(state="delivered", max_rows=10)
    assert {row.endpoint_id for row in both} == {id, other}
    assert await store.list_deliveries(endpoint_id=id, state="dropped", max_rows=10) == []
    assert await store.list_deliveries(endpoint_id=str(uuid4()), max_rows=10) == []


# Replays


async def test_a_replay_sends_what_was_missed_once(store: Store) -> None:
    id = await save_endpoint(store)
    await write_events(store)
    await deliver_all(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    await write_events(store, 2, now=NOON + HOUR)
    await deliver_all(store)
    await store.update_endpoint(id, state="enabled", now=NOON)
    assert await replay(store, id) == ReplayResult(count=2, more=False, last_created_at=NOON + HOUR)
    assert await deliver_all(store) == 2
    assert await replay(store, id) == NOTHING


async def test_a_replay_with_again_sends_everything(store: Store) -> None:
    id = await save_endpoint(store)
    await write_events(store, 3)
    await deliver_all(store)
    assert (await replay(store, id, again=True)).count == 3
    assert await deliver_all(store) == 3
    rows = await store.list_deliveries(max_rows=10)
    assert [(row.state, row.attempts) for row in rows] == [("delivered", 1)] * 3


@pytest.mark.parametrize("again", [False, True])
async def test_a_pending_delivery_stays_as_it_is(database: DatabaseUnderTest, again: bool) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await write_events(store, 2)
    await number_all(store)
    leased = await lease_deliveries(store)
    await settle(store, refused(leased[0]))
    before = database.rows("deliveries")
    assert await replay(store, id, again=again) == NOTHING
    assert database.rows("deliveries") == before
    await settle(store, delivered(leased[1]))
    assert (await store.list_deliveries(state="delivered", max_rows=10))[0].seq == 2


async def test_a_replay_sends_exhausted_and_dropped_deliveries_with_all_attempts(
    store: Store,
) -> None:
    id = await save_endpoint(store)
    await write_events(store, 2)
    await number_all(store)
    leased = await lease_deliveries(store)
    await settle(store, exhausted(leased[0]))
    await store.update_endpoint(id, state="disabled", now=NOON)
    states = [row.state for row in await store.list_deliveries(max_rows=10)]
    assert states == ["dropped", "exhausted"]
    await store.update_endpoint(id, state="enabled", now=NOON)
    assert (await replay(store, id, now=NOON + MINUTE)).count == 2
    rows = await store.list_deliveries(max_rows=10)
    assert {(row.state, row.attempts, row.due_at) for row in rows} == {
        ("pending", 0, NOON + MINUTE)
    }


async def test_a_replay_covers_the_events_of_a_time_and_of_patterns(store: Store) -> None:
    id = await save_endpoint(store, events=["connection.*"])
    await connect(store, now=NOON)
    await write_events(store, 2, now=NOON + HOUR)
    await connect(store, now=NOON + 2 * HOUR)
    await deliver_all(store)
    assert (await replay(store, id, again=True, until=NOON)).count == 0
    assert (await replay(store, id, again=True, until=NOON + HOUR)).count == 1
    assert (await replay(store, id, again=True, since=NOON + 2 * HOUR)).count == 1
    assert (await replay(store, id, patterns=["tiktok.1"])).count == 1
    assert (await replay(store, id, patterns=["tiktok.*"])).count == 1
    assert (await replay(store, id, patterns=["selection.*"])).count == 0
    assert (await get_endpoint(store, id)).pending == 4


async def test_a_replay_is_limited_and_starts_with_the_oldest_events(store: Store) -> None:
    id = await save_endpoint(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    for hour in range(3):
        await write_events(store, now=NOON + hour * HOUR)
    await number_all(store)
    await store.update_endpoint(id, state="enabled", now=NOON)
    results = [await replay(store, id, max_rows=2) for _ in range(3)]
    assert results == [
        ReplayResult(count=2, more=True, last_created_at=NOON + HOUR),
        ReplayResult(count=1, more=False, last_created_at=NOON + 2 * HOUR),
        NOTHING,
    ]
    assert [delivery.seq for delivery in await lease_deliveries(store)] == [1, 2, 3]


async def test_a_replay_sends_no_event_that_has_no_number(store: Store) -> None:
    id = await save_endpoint(store)
    await write_events(store)
    assert await replay(store, id) == NOTHING


async def test_nothing_is_replayed_to_a_disabled_or_unknown_endpoint(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await write_events(store)
    await deliver_all(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    for endpoint_id in (id, str(uuid4())):
        assert await replay(store, endpoint_id, again=True) == NOTHING
    assert [row["state"] for row in database.rows("deliveries")] == ["delivered"]


async def test_a_replay_does_not_change_the_deliveries_of_other_endpoints(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id, other = await save_endpoint(store), await save_endpoint(store)
    await write_events(store)
    await deliver_all(store)
    await replay(store, id, again=True)
    states = {row["endpoint_id"]: row["state"] for row in database.rows("deliveries")}
    assert states == {id: "pending", other: "delivered"}


async def test_concurrent_replays_queue_each_event_once(database: DatabaseUnderTest) -> None:
    stores = [await database.open_store() for _ in range(4)]
    id = await save_endpoint(stores[0])
    await write_events(stores[0], 10)
    await deliver_all(stores[0])
    await asyncio.gather(*(replay(store, id, again=True) for store in stores))
    assert len(await lease_deliveries(stores[0])) == 10
    assert len(database.rows("deliveries")) == 10


async def test_an_old_event_is_not_replayed(store: Store) -> None:
    id = await save_endpoint(store)
    await write_events(store, now=NOON - DAY - MINUTE)
    await deliver_all(store)
    assert await replay(store, id, again=True) == NOTHING


async def test_a_replay_continues_after_an_event_that_was_committed_late(store: Store) -> None:
    id = await save_endpoint(store)
    for hour in (1, 0, 2):
        await write_events(store, now=NOON + hour * HOUR)
    await deliver_all(store)
    first = await replay(store, id, again=True, max_rows=2)
    assert first.last_created_at == NOON + HOUR
    await deliver_all(store)
    assert (await replay(store, id, since=NOON + HOUR, again=True)).count == 2
