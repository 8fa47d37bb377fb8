"""An operation reads few rows of a large table. `make drill` runs these tests on a million rows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from connector.maintenance.cleanup import CLEANUP_INTERVAL, RETENTION
from connector.model import ConnectionStatus, UserId
from connector.store import ConnectionFilter, ListPosition, Store
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .builders import (
    HOUR,
    SHOP,
    acquire_lease,
    apply,
    claim_code,
    connection_upsert,
    new_user_id,
    outcome,
    select,
)
from .counting_postgres import (
    FILL_CONNECTIONS,
    FILL_HISTORY,
    CountingPostgres,
    fill,
    fill_connections,
    fill_history,
)

LIST_ROWS = int(os.environ.get("CONNECTOR_LIST_ROWS", "100000"))
HISTORY_ROWS = int(os.environ.get("CONNECTOR_HISTORY_ROWS", "1000"))
PAGE = 51
OLD_PLAN_ROWS = 5_000
PLANNED_FOR_EACH_CALL = 5
"""After so many calls, a session of Postgres may keep a plan."""

FEW_NAMES = 1000
"""A search that finds at most this many connections reads and sorts all of them."""

ATTEMPTS_KEPT = RETENTION.attempts_per_connection

Call = Callable[[Store], Awaitable[object]]


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[CountingPostgres]:
    stack.truncate()
    database = CountingPostgres(SecretStr(stack.dsn))
    await database.open()
    yield database
    await database.close()
    stack.truncate()


def page(
    *,
    user_id: UserId | None = None,
    family: str | None = None,
    status: ConnectionStatus | None = None,
    query: str | None = None,
    after: ListPosition | None = None,
) -> Call:
    filter = ConnectionFilter(user_id, family, status, query)
    return lambda store: store.search_connections(filter, after=after, max_rows=PAGE)


async def test_a_page_of_a_list_reads_few_rows(stack: Stack, database: CountingPostgres) -> None:
    fill_connections(stack, LIST_ROWS)
    [one] = stack.sql(f"select md5('id{LIST_ROWS // 2}')::uuid as id")
    half = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=LIST_ROWS // 2)
    middle = ListPosition(1, half, str(one["id"]))
    calls: dict[str, tuple[Call, int]] = {
        "everything": (page(), PAGE),
        "a later page": (page(after=middle), PAGE),
        "a family": (page(family="login_kit"), PAGE),
        "a family without connections": (page(family="accounts"), 0),
        "a status": (page(status="revoked"), PAGE),
        "a status of a family": (page(family="marketing", status="reconnect_required"), PAGE),
        "a user": (page(user_id=UserId("user-5")), 1),
        "a name of a user": (page(user_id=UserId("user-5"), query="pers"), 1),
        "a connection": (page(query=str(one["id"])), 1),
        "a TikTok user": (page(query="open-77"), 1),
        "an advertiser": (page(query="shop-78"), 1),
        "one name": (page(query="shop 9998"), 1),
        "some names": (page(query="person ab"), PAGE),
        "many names": (page(query="person"), PAGE),
        "many names with a status": (page(query="shop", status="revoked"), PAGE),
        "nothing": (page(query="nobody"), 0),
    }
    store = Store(database)
    for name, (call, at_least) in calls.items():
        found = await call(store)
        assert isinstance(found, list)
        assert len(found) >= at_least, name
        # A search with more results reads the list until the page is full.
        until_full = PAGE * LIST_ROWS // FEW_NAMES if name.endswith("names") else 0
        assert database.rows_read <= 3 * FEW_NAMES + until_full, (name, database.rows_read)


async def test_the_totals_of_one_user_read_only_their_connections(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_connections(stack, LIST_ROWS)
    counts = await Store(database).count_connections(user_id=UserId("user-5"))
    assert [count.count for count in counts] == [1]
    assert database.rows_read <= 1


# Attempts, events and codes


async def test_the_activity_of_one_user_reads_only_their_attempts(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_history(stack, HISTORY_ROWS)
    [count] = await Store(database).count_attempts_by_hour(
        user_id=UserId("user-5"), since=NOON - HOUR
    )
    assert count.count == ATTEMPTS_KEPT
    assert database.rows_read <= 10 + ATTEMPTS_KEPT


async def test_the_activity_of_all_users_reads_no_attempts(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_history(stack, HISTORY_ROWS)
    [count] = await Store(database).count_attempts_by_hour(user_id=None, since=NOON - HOUR)
    assert count.count == HISTORY_ROWS
    assert database.rows_read <= 5


async def test_the_attempts_of_a_connection_and_a_code_are_found_by_an_index(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_history(stack, HISTORY_ROWS)
    store = Store(database)
    [connection] = stack.sql("select md5('id5')::uuid as id")
    assert len(await store.list_attempts(str(connection["id"]))) == ATTEMPTS_KEPT
    assert database.rows_read <= ATTEMPTS_KEPT
    await claim_code(store, "code-5", new_user_id())
    assert database.rows_read <= 10


async def test_a_cleanup_with_nothing_to_delete_reads_almost_nothing(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_history(stack, HISTORY_ROWS)
    store = Store(database)
    assert not await store.delete_old_rows(RETENTION, interval=CLEANUP_INTERVAL, now=NOON)
    assert database.rows_read <= 30
    assert not await store.delete_old_rows(RETENTION, interval=CLEANUP_INTERVAL, now=NOON)
    assert database.rows_read <= 3


async def test_a_cleanup_reads_the_old_rows_and_few_others(
    stack: Stack, database: CountingPostgres
) -> None:
    """Ten rows of each table are old. The ten attempts are surplus of one connection."""
    fill_history(stack, HISTORY_ROWS)
    stack.script(
        "update connector.events set created_at = '2026-10-01' where position in "
        "(select position from connector.events order by position limit 10)"
    )
    for table, time in (("codes", "created_at"), ("attempts", "at")):
        stack.script(
            f"update connector.{table} set {time} = {time} - interval '40 days' "
            f"where {time} > '2026-11-20 12:00 UTC'::timestamptz - interval '10.5 milliseconds'"
        )
    store = Store(database)
    retention = replace(RETENTION, attempts_per_connection=5)
    await store.delete_old_rows(retention, interval=CLEANUP_INTERVAL, now=NOON)
    assert [len(stack.sql(f"select from connector.{table}")) for table in ("codes", "events")] == [
        HISTORY_ROWS - 10,
        HISTORY_ROWS - 10,
    ]
    assert database.rows_read <= 250


# Plans that a session made while the tables were small


async def connect_use_and_disconnect(database: CountingPostgres) -> dict[str, int]:
    """Returns the number of rows that each operation has read."""
    store, user, code_hash = Store(database), new_user_id(), uuid4().hex
    upsert = connection_upsert(
        user, code_hash, selected_advertiser=SHOP, tiktok_user_id=f"open-{user}", due_at=None
    )
    operations: dict[str, Call] = {
        "claim": lambda store: claim_code(store, code_hash, user),
        "upsert": lambda store: store.upsert_connection(upsert, now=NOON),
        "select": lambda store: select(store, upsert.id, SHOP),
        "find": lambda store: store.find_stored_tokens(user, "marketing"),
        "get": lambda store: store.get_stored_tokens(upsert.id),
        "lease": lambda store: acquire_lease(store, upsert.id),
        "apply": lambda store: apply(store, outcome(upsert.id)),
        "disconnect": lambda store: store.mark_disconnected(upsert.id, now=NOON),
        "get disconnected": lambda store: store.get_stored_tokens(upsert.id),
    }
    rows_read = {}
    for name, call in operations.items():
        assert await call(store), name
        rows_read[name] = database.rows_read
    return rows_read


async def test_an_operation_reads_few_rows_although_the_tables_were_empty_when_it_was_planned(
    stack: Stack, database: CountingPostgres
) -> None:
    for _ in range(PLANNED_FOR_EACH_CALL + 1):
        await connect_use_and_disconnect(database)
    fill(stack, FILL_CONNECTIONS, OLD_PLAN_ROWS)
    fill(stack, FILL_HISTORY[0], OLD_PLAN_ROWS)
    rows_read = await connect_use_and_disconnect(database)
    assert {name: rows for name, rows in rows_read.items() if rows > 20} == {}
