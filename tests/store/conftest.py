"""Fixtures of the store tests. A test of `store` or `database` runs on three databases, empty at first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from connector.store import Database, Store
from connector.store.postgres import Postgres
from connector.store.sqlite import SQLite
from connector.store.supabase import Supabase
from tests.database_views import DatabaseView, Rows, sqlite_view, supabase_view
from tests.supabase_stack import Stack

from .pausable_database import PausableDatabase


class UserAccount(NamedTuple):
    """The service's columns of a row in the customer's table `user_accounts`."""

    token: str | None
    advertiser_name: str | None
    advertiser_id: str | None


class DatabaseUnderTest:
    """One database, which any number of stores use. A test also reads its tables directly."""

    def __init__(self, view: DatabaseView, create: Callable[[], Database]) -> None:
        self._view = view
        self._create = create
        self._exit_stack = AsyncExitStack()

    async def connect(self) -> Database:
        database = self._create()
        await database.open()
        self._exit_stack.push_async_callback(database.close)
        return database

    async def open_store(self) -> Store:
        return Store(await self.connect())

    def rows(self, table: str) -> Rows:
        return self._view.rows(table)

    def event_types(self) -> list[str]:
        return [event["type"].removeprefix("connection.") for event in self.rows("events")]

    def user_account(self, user_id: str) -> UserAccount | None:
        rows = [row for row in self.rows("user_accounts") if row["id"] == user_id]
        columns = ("tiktok_access_token", "tiktok_account_id", "tiktok_business_id")
        return UserAccount(*(rows[0][column] for column in columns)) if rows else None

    def reply(self, code_hash: str) -> Any:
        [reply] = [row["reply"] for row in self.rows("codes") if row["code_hash"] == code_hash]
        return reply

    async def close(self) -> None:
        await self._exit_stack.aclose()


@asynccontextmanager
async def open_store(database: Database) -> AsyncIterator[Store]:
    await database.open()
    try:
        yield Store(database)
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "supabase", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[DatabaseUnderTest]:
    if request.param == "sqlite":
        path = tmp_path / "connector.db"
        database = DatabaseUnderTest(sqlite_view(path), lambda: SQLite(path))
    else:
        stack: Stack = request.getfixturevalue("stack")
        connect: Callable[[Stack], Database]
        connect = supabase if request.param == "supabase" else postgres
        view = supabase_view(stack, request.param)
        database = DatabaseUnderTest(view, lambda: connect(stack))
    yield database
    await database.close()


@pytest.fixture
async def store(database: DatabaseUnderTest) -> Store:
    return await database.open_store()


@pytest.fixture
async def pausable(database: DatabaseUnderTest) -> PausableDatabase:
    return PausableDatabase(await database.connect())


@pytest.fixture
def unlimited_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is sent before the previous one has ended, however slow the machine is."""
    monkeypatch.setattr("connector.concurrency.batcher.MAX_WAIT_SECONDS", 60.0)


def supabase(stack: Stack) -> Supabase:
    return Supabase(stack.url, SecretStr(stack.service_role_key))


def postgres(stack: Stack) -> Postgres:
    return Postgres(SecretStr(stack.dsn))
