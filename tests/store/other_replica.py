"""Calls of another replica whose transaction has not ended. SQLite has one writer, so nothing waits there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg
import pytest

from tests.supabase_stack import Stack

T = TypeVar("T")

on_postgres = pytest.mark.parametrize("database", ["supabase", "postgres"], indirect=True)


@asynccontextmanager
async def uncommitted(stack: Stack, call: str, *arguments: object) -> AsyncIterator[None]:
    """Calls an operation as another replica does, and commits at the end of the block."""
    replica = await asyncpg.connect(stack.dsn)
    async with replica.transaction():
        await replica.execute(f"select public.connector_{call}", *arguments)
        yield
    await replica.close()


async def until_it_waits(stack: Stack, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(work)
    while not stack.sql("select from pg_catalog.pg_locks where not granted"):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return task
