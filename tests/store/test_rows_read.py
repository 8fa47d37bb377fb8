"""An operation reads few rows of a large table. `make drill` runs these tests on a million rows."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from connector.model import ConnectionStatus, UserId
from connector.store import ConnectionFilter, ListPosition, Store
from tests.supabase_stack import Stack

from .counting_postgres import CountingPostgres, fill_connections

LIST_ROWS = int(os.environ.get("CONNECTOR_LIST_ROWS", "100000"))
PAGE = 51
FEW_NAMES = 1000
"""A search that finds at most this many connections reads and sorts all of them."""

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
        assert database.rows_read <= 3 * FEW_NAMES, (name, database.rows_read)


async def test_the_totals_of_one_user_read_only_their_connections(
    stack: Stack, database: CountingPostgres
) -> None:
    fill_connections(stack, LIST_ROWS)
    counts = await Store(database).count_connections(user_id=UserId("user-5"))
    assert [count.count for count in counts] == [1]
    assert database.rows_read <= 1
