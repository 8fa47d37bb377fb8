"""Postgres behind a pooler in transaction mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from connector.store.postgres import Postgres
from tests.supabase_stack import Stack

from .builders import apply, connect, outcome, stored_tokens
from .conftest import open_store
from .pooler import Pooler


@pytest.fixture
async def pooler(stack: Stack) -> AsyncIterator[Pooler]:
    stack.truncate()
    async with Pooler(int(stack.dsn.split(":")[-1].split("/")[0])) as running:
        yield running


async def test_the_tests_pooler_breaks_named_statements(pooler: Pooler) -> None:
    """The other tests here would pass for the wrong reason if this pooler kept named statements."""
    connection = await asyncpg.connect(pooler.dsn)
    await connection.fetchval("select $1::int", 1)
    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await connection.fetchval("select $1::int", 1)
    await connection.close()


async def test_behind_a_pooler_64_concurrent_callers_get_their_own_results(
    pooler: Pooler,
) -> None:
    async with open_store(Postgres(SecretStr(pooler.dsn))) as store:

        async def connect_and_refresh(number: int) -> None:
            id = await connect(store, encrypted_tokens=f"{number}")
            assert (await stored_tokens(store, id)).encrypted_tokens == f"{number}"
            assert await apply(store, outcome(id, encrypted_tokens="second")) == {id}

        await asyncio.gather(*map(connect_and_refresh, range(64)))


async def test_an_address_with_parameters_for_prisma_is_accepted(pooler: Pooler) -> None:
    dsn = f"{pooler.dsn}?pgbouncer=true&connection_limit=1&application_name=connector"
    async with open_store(Postgres(SecretStr(dsn))) as store:
        await store.require_schema()
