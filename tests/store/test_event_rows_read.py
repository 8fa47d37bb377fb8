"""The operations of the dispatcher and of the feed read few rows of large tables."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from connector.store import Store
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .counting_postgres import FILL_HISTORY, CountingPostgres, fill
from .event_builders import (
    delivered,
    get_endpoint,
    lease_deliveries,
    save_endpoint,
    settle,
    write_events,
)
from .test_rows_read import LIST_ROWS, PLANNED_FOR_EACH_CALL

FILL_EVENTS = FILL_HISTORY[1]
FILL_DELIVERIES = """
    insert into connector.deliveries (event_position, endpoint_id, state, attempts, due_at, delivered_at)
    select
        e.position, p.id, case when n.is_pending then 'pending' else 'delivered' end, 1,
        case when n.is_pending then '2026-11-21 12:00 UTC'::timestamptz end,
        case when not n.is_pending then '2026-11-20 11:00 UTC'::timestamptz end
    from connector.events e
    cross join connector.endpoints p
    cross join lateral (
        select p.id = (select min(o.id::text)::uuid from connector.endpoints o) as is_pending
    ) n
    where e.seq between {first} and {last}
"""
"""The first endpoint has received nothing, and all its deliveries are due later."""


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[CountingPostgres]:
    stack.truncate()
    database = CountingPostgres(SecretStr(stack.dsn))
    await database.open()
    yield database
    await database.close()
    stack.truncate()


async def use(database: CountingPostgres, last_seq: int) -> dict[str, int]:
    """Returns the number of rows that each operation has read. Three new events go to two endpoints."""
    store, rows_read = Store(database), {}
    result = await store.number_events(now=NOON)
    assert (result.numbered, result.last_seq, result.deliveries_due) == (0, last_seq, False)
    rows_read["number nothing"] = database.rows_read
    assert await lease_deliveries(store) == []
    rows_read["lease nothing"] = database.rows_read
    await write_events(store, 3)
    assert (await store.number_events(now=NOON)).numbered == 3
    rows_read["number"] = database.rows_read
    leased = await lease_deliveries(store)
    assert len(leased) == 6
    rows_read["lease"] = database.rows_read
    await settle(store, *map(delivered, leased))
    rows_read["settle"] = database.rows_read
    await store.release_deliveries(lease_owner="owner-1", now=NOON)
    rows_read["release"] = database.rows_read
    events = await store.list_events(after=last_seq, until=last_seq + 3, max_rows=500)
    assert len(events) == 3
    rows_read["list new events"] = database.rows_read
    events = await store.list_events(after=last_seq + 3, until=last_seq + 3, max_rows=500)
    assert events == []
    rows_read["list no event"] = database.rows_read
    events = await store.list_events(
        after=last_seq, until=last_seq + 3, patterns=["connection.*"], max_rows=500
    )
    assert events == []
    rows_read["list by pattern"] = database.rows_read
    assert len(await store.list_deliveries(max_rows=6)) == 6
    rows_read["list deliveries"] = database.rows_read
    await store.list_deliveries(endpoint_id=leased[0].endpoint_id, max_rows=3)
    rows_read["list deliveries of an endpoint"] = database.rows_read
    await store.get_event_bounds()
    rows_read["bounds"] = database.rows_read
    return rows_read


async def fill_events(stack: Stack) -> None:
    fill(stack, FILL_EVENTS, LIST_ROWS)
    fill(stack, FILL_DELIVERIES, LIST_ROWS)
    stack.script(f"update connector.event_numbers set last_seq = {LIST_ROWS}")


async def test_the_dispatcher_and_the_feed_read_few_rows_although_many_are_stored(
    stack: Stack, database: CountingPostgres
) -> None:
    store = Store(database)
    ids = [await save_endpoint(store) for _ in range(2)]
    await write_events(store)
    await store.number_events(now=NOON)
    stack.script("truncate connector.events cascade")
    await fill_events(stack)
    rows_read = await use(database, LIST_ROWS)
    assert {name: rows for name, rows in rows_read.items() if rows > 60} == {}
    pending = {(await get_endpoint(store, id)).pending for id in ids}
    assert pending == {0, LIST_ROWS}


async def test_few_rows_are_read_although_the_tables_were_empty_when_the_operations_were_planned(
    stack: Stack, database: CountingPostgres
) -> None:
    store = Store(database)
    for _ in range(2):
        await save_endpoint(store)
    for call in range(PLANNED_FOR_EACH_CALL + 1):
        await use(database, 3 * call)
        # As autovacuum may do at any time. The statistics of small tables suggest other indexes.
        stack.script("analyze connector.deliveries")
    stack.script("truncate connector.events cascade")
    await fill_events(stack)
    rows_read = await use(database, LIST_ROWS)
    assert {name: rows for name, rows in rows_read.items() if rows > 60} == {}
