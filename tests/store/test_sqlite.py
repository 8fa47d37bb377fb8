"""SQLite with a locked, damaged or unwritable file; slow calls do not delay other calls."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from connector.errors import InternalError, StoreUnreachable
from connector.store.sqlite import SQLite
from connector.store.sqlite import database as sqlite_module
from tests.manual_clock import NOON

from .builders import connect, new_user_id, stored_tokens
from .conftest import open_store

SYNCHRONOUS_FULL = 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connector.db"


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(sqlite_module, "DEADLINE", 0.3)
    monkeypatch.setattr(sqlite_module, "QUEUE_GRACE", 0.3)
    return 0.3


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@contextmanager
def busy_reading_thread(database: SQLite) -> Iterator[None]:
    finish = threading.Event()
    database._reading.submit(finish.wait)
    try:
        yield
    finally:
        finish.set()


async def test_a_locked_sqlite_file_is_reported_unreachable_to_all_callers_within_one_deadline(
    path: Path, short_deadline: float
) -> None:
    async with open_store(SQLite(path)) as store:
        with locked(path):
            started = time.monotonic()
            results = await asyncio.gather(
                *(connect(store) for _ in range(9)), return_exceptions=True
            )
            assert time.monotonic() - started < short_deadline + 0.5
            assert {type(result) for result in results} == {StoreUnreachable}
            assert await store.count_connections() == []
        id = await connect(store)
        assert (await stored_tokens(store, id)).encrypted_tokens == "first"


async def test_a_write_whose_caller_got_a_timeout_is_not_run_later(
    path: Path, short_deadline: float
) -> None:
    async with open_store(SQLite(path)) as store:
        with locked(path):
            await asyncio.gather(*(connect(store) for _ in range(9)), return_exceptions=True)
        await connect(store)
        assert [each.count for each in await store.count_connections()] == [1]


async def test_a_slow_statistics_query_delays_neither_token_reads_nor_writes(path: Path) -> None:
    database = SQLite(path)
    async with open_store(database) as store:
        id = await connect(store)
        with busy_reading_thread(database):
            slow = [
                asyncio.ensure_future(store.count_attempts_by_hour(user_id=None, since=NOON)),
                asyncio.ensure_future(store.count_connections()),
                asyncio.ensure_future(store.list_ciphertexts("connections", after_key=None)),
            ]
            assert (await stored_tokens(store, id)).encrypted_tokens == "first"
            assert await store.find_stored_tokens(new_user_id(), "marketing") is None
            await connect(store)
            assert not any(query.done() for query in slow)
        assert all(await asyncio.gather(*slow))


async def test_a_sqlite_read_that_never_ends_is_reported_unreachable(
    path: Path, short_deadline: float
) -> None:
    database = SQLite(path)
    async with open_store(database) as store:
        with busy_reading_thread(database), pytest.raises(StoreUnreachable):
            await store.count_connections()


async def test_a_sqlite_file_that_cannot_be_written_fails_the_schema_check(
    path: Path, short_deadline: float
) -> None:
    async with open_store(SQLite(path)) as store:
        with locked(path), pytest.raises(StoreUnreachable):
            await store.require_schema()
        await store.require_schema()


async def test_the_schema_check_does_not_write_to_sqlite_every_time(
    path: Path, short_deadline: float
) -> None:
    async with open_store(SQLite(path)) as store:
        await store.require_schema()
        with locked(path):
            await store.require_schema()


async def test_the_schema_check_writes_to_sqlite(path: Path) -> None:
    async with open_store(SQLite(path)) as store:
        log = path.with_name("connector.db-wal")
        size_before = log.stat().st_size
        await store.require_schema()
        assert log.stat().st_size > size_before


async def test_every_connection_to_the_sqlite_file_syncs_its_commits(path: Path) -> None:
    database = SQLite(path)
    async with open_store(database):
        connections = (database._writer, database._reader, database._loop_reader)
        levels = [each.execute("pragma synchronous").fetchone()[0] for each in connections]
    assert levels == [SYNCHRONOUS_FULL] * 3


async def test_a_violated_sqlite_constraint_is_an_internal_error(path: Path) -> None:
    database = SQLite(path)
    async with open_store(database):
        with pytest.raises(InternalError, match="NOT NULL"):
            await database.call(
                "claim_codes", claims=[{"code_hash": "code"}], now=NOON, lease_seconds=60.0
            )


async def test_a_sqlite_file_that_cannot_be_created_is_reported_unreachable(
    tmp_path: Path,
) -> None:
    with pytest.raises(StoreUnreachable):
        await SQLite(tmp_path / "missing-folder" / "connector.db").open()


@pytest.fixture
def file_without_a_database(path: Path) -> Path:
    path.write_bytes(b"not a database" * 99)
    return path


async def test_a_file_that_is_not_a_sqlite_database_is_reported_unreachable(
    file_without_a_database: Path,
) -> None:
    with pytest.raises(StoreUnreachable):
        await SQLite(file_without_a_database).open()


async def test_other_users_of_the_machine_cannot_read_the_sqlite_files(path: Path) -> None:
    async with open_store(SQLite(path)) as store:
        await connect(store)
        with os.scandir(path.parent) as files:
            modes = {file.name: file.stat().st_mode & 0o777 for file in files}
    assert set(modes.values()) == {0o600}, modes


async def test_stored_tokens_are_in_the_sqlite_file_after_a_restart(path: Path) -> None:
    async with open_store(SQLite(path)) as store:
        id = await connect(store)
    async with open_store(SQLite(path)) as store:
        await store.require_schema()
        assert (await stored_tokens(store, id)).encrypted_tokens == "first"
