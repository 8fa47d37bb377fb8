"""Straight to Postgres, with a pooler in transaction mode between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from connector.store.postgres import Postgres
from tests.stack import Stack

from .conftest import opened
from .people import connect, outcome, read, save
from .pooler import Pooler


@pytest.fixture
async def pooler(stack: Stack) -> AsyncIterator[Pooler]:
    stack.truncate()
    async with Pooler(int(stack.dsn.split(":")[-1].split("/")[0])) as running:
        yield running


async def test_named_statements_do_not_survive_a_pooler(pooler: Pooler) -> None:
    """What the next tests stand on: this pooler is one that breaks them."""
    link = await asyncpg.connect(pooler.dsn)
    await link.fetchval("select $1::int", 1)
    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await link.fetchval("select $1::int", 1)
    await link.close()


async def test_behind_a_pooler_64_at_once_get_the_right_answers(pooler: Pooler) -> None:
    async with opened(Postgres(SecretStr(pooler.dsn))) as store:

        async def live(number: int) -> None:
            id = await connect(store, sealed=f"{number}")
            assert (await read(store, id)).sealed == f"{number}"
            assert await save(store, outcome(id, sealed="second")) == {id}

        await asyncio.gather(*map(live, range(64)))


async def test_an_address_meant_for_prisma_is_understood(pooler: Pooler) -> None:
    address = f"{pooler.dsn}?pgbouncer=true&connection_limit=1&application_name=connector"
    async with opened(Postgres(SecretStr(address))) as store:
        await store.ready()
