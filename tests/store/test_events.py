"""Events get numbers after their commit, and a delivery for each endpoint that wants them."""

from __future__ import annotations

import asyncio

import pytest

from connector.store import EventBounds, NumberingResult, Store
from tests.manual_clock import NOON

from .builders import HOUR, connect, new_user_id
from .conftest import DatabaseUnderTest
from .event_builders import (
    get_endpoint,
    lease_deliveries,
    listed,
    number_all,
    receive,
    save_endpoint,
    write_events,
)

# Numbers


async def test_without_events_nothing_is_numbered(store: Store) -> None:
    assert await store.number_events(now=NOON) == NumberingResult(
        numbered=0, more_left=False, last_seq=0, deliveries_due=False
    )
    assert await store.get_event_bounds() == EventBounds(oldest=1, last=0)
    assert await listed(store) == []


async def test_an_event_is_not_listed_before_it_has_a_number(store: Store) -> None:
    await write_events(store)
    assert await store.list_events(after=0, until=1000, max_rows=10) == []
    assert await store.get_event_bounds() == EventBounds(oldest=1, last=0)


async def test_events_are_numbered_in_the_order_of_the_changes(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await connect(store, user)
    await store.mark_disconnected(id, now=NOON)
    assert (await store.number_events(now=NOON)).numbered == 3
    await connect(store, user, now=NOON + HOUR)
    assert await number_all(store) == 4
    assert [(event.seq, event.type) for event in await listed(store)] == [
        (1, "connection.connected"),
        (2, "connection.reconnected"),
        (3, "connection.disconnected"),
        (4, "connection.reconnected"),
    ]


async def test_one_call_numbers_at_most_the_requested_rows_and_reports_that_more_are_left(
    store: Store,
) -> None:
    await write_events(store, 4)
    results = [await store.number_events(max_rows=2, now=NOON) for _ in range(3)]
    assert [(result.numbered, result.more_left, result.last_seq) for result in results] == [
        (2, True, 2),
        (2, False, 4),
        (0, False, 4),
    ]


async def test_numbers_have_no_gaps_although_many_processes_number_and_write(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(4)]
    is_written = False

    async def write(store: Store) -> None:
        for _ in range(10):
            await write_events(store, 5)

    async def number(store: Store) -> None:
        while not is_written:
            await store.number_events(max_rows=3, now=NOON)

    numbering = [asyncio.create_task(number(store)) for store in stores]
    await asyncio.gather(*map(write, stores))
    is_written = True
    await asyncio.gather(*numbering)
    assert await number_all(stores[0]) == 200
    assert [event.seq for event in await listed(stores[0])] == list(range(1, 201))


# Deliveries


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["connection.*"], {"connection.connected"}),
        (["connection.connected"], {"connection.connected"}),
        (["connection.connecte"], set()),
        (["connection.disconnected", "connection.connected"], {"connection.connected"}),
        (["tiktok.*"], {"tiktok.video.failed"}),
        (["tiktok.video.*"], {"tiktok.video.failed"}),
        (["tiktok.video"], set()),
        (["connect.*"], set()),
        (["*"], set()),
        ([], set()),
        (["tiktok.*", "connection.*"], {"connection.connected", "tiktok.video.failed"}),
        (["tiktok.*", "tiktok.video.failed"], {"tiktok.video.failed"}),
    ],
)
async def test_an_endpoint_gets_the_events_that_match_its_patterns(
    store: Store, patterns: list[str], expected: set[str]
) -> None:
    await save_endpoint(store, events=patterns)
    await connect(store)
    await receive(store, event="video.failed")
    result = await store.number_events(now=NOON)
    assert (result.numbered, result.deliveries_due) == (2, bool(expected))
    leased = await lease_deliveries(store)
    assert sorted(delivery.type for delivery in leased) == sorted(expected)


async def test_each_endpoint_gets_its_own_delivery(store: Store) -> None:
    ids = {await save_endpoint(store) for _ in range(3)}
    await write_events(store, 2)
    await number_all(store)
    leased = await lease_deliveries(store)
    pairs = {(delivery.endpoint_id, delivery.seq) for delivery in leased}
    assert pairs == {(id, seq) for id in ids for seq in (1, 2)}


async def test_a_disabled_endpoint_gets_no_delivery(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    await write_events(store)
    assert not (await store.number_events(now=NOON)).deliveries_due
    assert database.rows("deliveries") == []


async def test_an_endpoint_gets_no_event_that_was_numbered_before_it_existed(
    store: Store,
) -> None:
    await write_events(store)
    await number_all(store)
    id = await save_endpoint(store)
    assert (await get_endpoint(store, id)).pending == 0


async def test_deliveries_are_due_until_they_are_leased(store: Store) -> None:
    await save_endpoint(store)
    await write_events(store)
    assert (await store.number_events(now=NOON)).deliveries_due
    assert (await store.number_events(now=NOON)).deliveries_due
    assert not (await store.number_events(now=NOON - HOUR)).deliveries_due
    await lease_deliveries(store)
    assert not (await store.number_events(now=NOON)).deliveries_due
    assert (await store.number_events(now=NOON + HOUR)).deliveries_due


# Lists


async def test_events_are_listed_after_a_number_and_up_to_another(store: Store) -> None:
    await write_events(store, 5)
    await number_all(store)
    assert [event.seq for event in await listed(store, after=2)] == [3, 4, 5]
    assert [event.seq for event in await listed(store, after=1, until=3)] == [2, 3]
    assert [event.seq for event in await listed(store, max_rows=2)] == [1, 2]
    assert await listed(store, after=5) == []


async def test_events_are_listed_by_connection_and_by_pattern(store: Store) -> None:
    user = new_user_id()
    first, second = await connect(store, user), await connect(store)
    await store.mark_disconnected(first, now=NOON)
    await receive(store, event="video.failed")
    await number_all(store)
    of_first = await listed(store, connection_id=first)
    assert [event.type for event in of_first] == [
        "connection.connected",
        "connection.disconnected",
    ]
    assert {(event.connection_id, event.user_id) for event in of_first} == {(first, user)}
    [event] = await listed(store, connection_id=second, patterns=["connection.connected"])
    assert event.connection_id == second
    [event] = await listed(store, patterns=["tiktok.*"])
    assert (event.type, event.connection_id, event.user_id) == ("tiktok.video.failed", None, None)
    assert await listed(store, patterns=[]) == []
    assert len(await listed(store, patterns=["connection.*", "tiktok.video.failed"])) == 4


async def test_a_listed_event_has_the_content_of_the_stored_one(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await connect(store, now=NOON + HOUR)
    await number_all(store)
    [event], [row] = await listed(store), database.rows("events")
    assert (event.id, event.seq, event.data) == (row["id"], 1, row["data"])
    assert event.created_at == NOON + HOUR


async def test_a_write_wakes_the_dispatcher_of_this_process(store: Store) -> None:
    id = await connect(store)
    assert store.event_written.is_set()
    store.event_written.clear()
    await store.get_connection(id)
    await store.number_events(now=NOON)
    assert not store.event_written.is_set()
    await receive(store)
    assert store.event_written.is_set()
