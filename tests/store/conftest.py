"""Every store test runs three times, on a database of each kind, empty at first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from connector.store import Database, Store
from connector.store.postgres import Postgres
from connector.store.sqlite import JSON_COLUMNS, SQLite
from connector.store.supabase import Supabase
from tests.stack import Stack

Rows = list[dict[str, Any]]


class Memory:
    """One database that any number of stores stand on, and a way to look behind them."""

    def __init__(self, connect: Callable[[], Database], rows: Callable[[str], Rows]) -> None:
        self.rows = rows
        self._connect = connect
        self._open = AsyncExitStack()

    async def database(self) -> Database:
        database = self._connect()
        await database.open()
        self._open.push_async_callback(database.close)
        return database

    async def store(self) -> Store:
        return Store(await self.database())

    def account(self, user_id: str) -> tuple[str | None, ...] | None:
        """What `user_accounts` says of somebody: token, advertiser's name, advertiser's id."""
        columns = ("tiktok_access_token", "tiktok_account_id", "tiktok_business_id")
        rows = [row for row in self.rows("user_accounts") if row["id"] == user_id]
        return tuple(rows[0][column] for column in columns) if rows else None

    def answer(self, key: str) -> Any:
        """What a code that somebody presented has come to."""
        [answer] = [row["answer"] for row in self.rows("codes") if row["key"] == key]
        return answer

    async def close(self) -> None:
        await self._open.aclose()


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Store]:
    await database.open()
    try:
        yield Store(database)
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "supabase", "postgres"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory]:
    if request.param == "sqlite":
        opened = _in_file(tmp_path / "connector.db")
    else:
        stack: Stack = request.getfixturevalue("stack")
        stack.truncate()
        opened = _in_stack(stack, request.param)
    yield opened
    await opened.close()


@pytest.fixture
async def store(memory: Memory) -> Store:
    return await memory.store()


def _in_file(path: Path) -> Memory:
    def rows(table: str) -> Rows:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            return [_plain(dict(row)) for row in connection.execute(f"select * from {table}")]

    return Memory(lambda: SQLite(path), rows)


def _in_stack(stack: Stack, kind: str) -> Memory:
    def rows(table: str) -> Rows:
        schema = "public" if table == "user_accounts" else "connector"
        return [_plain(row) for row in stack.sql(f"select * from {schema}.{table}")]

    def connect() -> Database:
        if kind == "supabase":
            return Supabase(stack.url, SecretStr(stack.service_role_key))
        return Postgres(SecretStr(stack.dsn))

    return Memory(connect, rows)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _read(name, value) for name, value in row.items()}


def _read(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
