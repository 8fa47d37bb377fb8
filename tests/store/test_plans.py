"""What has an index is looked up there, also while the tables are so small that Postgres would
rather read them whole: the plans of then are the plans of later."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr

from connector.store.postgres import Postgres
from tests.clocks import NOON
from tests.stack import Stack

from .conftest import opened
from .people import MINUTE, SHOP, claim, connected, outcome, person

TABLES = "'codes', 'connections', 'user_accounts'"
COUNTED = (
    f"select relname, seq_scan, n_tup_ins from pg_stat_user_tables where relname in ({TABLES})"
)
MANY = 3


def counted(stack: Stack) -> tuple[int, int]:
    """How often one of the tables was read whole, and how many rows came in."""
    rows = stack.sql(COUNTED)
    return sum(row["seq_scan"] for row in rows), sum(row["n_tup_ins"] for row in rows)


async def work(stack: Stack) -> None:
    """Its sessions end with it, and tell Postgres then what they did."""
    async with opened(Postgres(SecretStr(stack.dsn))) as store:
        for _ in range(MANY):
            given = connected(person(), person(), chosen=SHOP)
            await claim(store, given.key, given.user_id)
            await store.save_connection(given)
            await store.choose(given.id, chosen=SHOP, account_token=None, now=NOON)
            await store.read_token(given.id)
            await store.find_token(given.user_id, "marketing")
            await store.claim_refresh(
                given.id, version=1, holder="one", now=NOON, until=NOON + MINUTE
            )
            await store.release(["two"], now=NOON, until=NOON + MINUTE)
            assert await store.save_outcomes([outcome(given.id, due_at=NOON)], now=NOON)
            assert await store.claim_due(holder="one", most=1, now=NOON, until=NOON + MINUTE)
            assert await store.connection(given.id)
            assert await store.attempts(given.id)
            await store.begin_revoke(given.id, now=NOON)


async def worked(stack: Stack) -> int:
    """How often a table was read whole by then, once Postgres knows of all the work."""
    _, rows = counted(stack)
    await work(stack)
    while (now := counted(stack))[1] < rows + 3 * MANY:  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0.01)
    return now[0]


async def test_no_table_is_read_whole_for_one_row(stack: Stack) -> None:
    stack.truncate()
    await work(stack)
    stack.script("analyze connector.codes; analyze connector.connections")
    stack.script("analyze public.user_accounts; select pg_stat_force_next_flush()")
    assert await worked(stack) == await worked(stack)
