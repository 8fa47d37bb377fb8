"""SQLite when its file is locked, damaged or not to be written; and who waits for whom."""

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

from connector.errors import Broken, StoreUnreachable
from connector.store import sqlite
from connector.store.sqlite import SQLite
from tests.clocks import NOON

from .conftest import opened
from .people import connect, person, read


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Deadlines so short that a test may wait for them."""
    monkeypatch.setattr(sqlite, "DEADLINE", 0.3)
    monkeypatch.setattr(sqlite, "GRACE", 0.3)
    return 0.3


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@contextmanager
def occupied(database: SQLite) -> Iterator[None]:
    """The reading thread is at something that takes its time."""
    done = threading.Event()
    database._reading.submit(done.wait)
    try:
        yield
    finally:
        done.set()


async def test_a_file_somebody_keeps_locked_is_unreachable_for_all_within_one_deadline(
    tmp_path: Path, impatient: float
) -> None:
    path = tmp_path / "connector.db"
    async with opened(SQLite(path)) as store:
        with locked(path):
            began = time.monotonic()
            told = await asyncio.gather(*(connect(store) for _ in range(9)), return_exceptions=True)
            assert time.monotonic() - began < impatient + 0.5
            assert {type(each) for each in told} == {StoreUnreachable}
            assert await store.census() == []
        id = await connect(store)
        assert (await read(store, id)).sealed == "first"


async def test_what_nobody_waits_for_any_more_is_not_begun(
    tmp_path: Path, impatient: float
) -> None:
    path = tmp_path / "connector.db"
    async with opened(SQLite(path)) as store:
        with locked(path):
            await asyncio.gather(*(connect(store) for _ in range(9)), return_exceptions=True)
        await connect(store)
        assert [each.times for each in await store.census()] == [1]


async def test_a_chart_that_takes_its_time_keeps_no_token_waiting(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "connector.db")
    async with opened(database) as store:
        id = await connect(store)
        with occupied(database):
            slow = [
                asyncio.ensure_future(store.pulse(user_id=None, since=NOON)),
                asyncio.ensure_future(store.census()),
                asyncio.ensure_future(store.sealed("connections", after=None)),
            ]
            assert (await read(store, id)).sealed == "first"
            assert await store.find_token(person(), "marketing") is None
            await connect(store)
            assert not any(each.done() for each in slow)
        assert all(await asyncio.gather(*slow))


async def test_reading_that_never_ends_is_given_up(tmp_path: Path, impatient: float) -> None:
    database = SQLite(tmp_path / "connector.db")
    async with opened(database) as store:
        with occupied(database), pytest.raises(StoreUnreachable):
            await store.census()


async def test_a_file_that_cannot_be_written_is_not_ready(tmp_path: Path, impatient: float) -> None:
    path = tmp_path / "connector.db"
    async with opened(SQLite(path)) as store:
        with locked(path), pytest.raises(StoreUnreachable):
            await store.ready()
        await store.ready()


async def test_being_ready_is_not_proven_anew_every_time(tmp_path: Path, impatient: float) -> None:
    path = tmp_path / "connector.db"
    async with opened(SQLite(path)) as store:
        await store.ready()
        with locked(path):
            await store.ready()


async def test_proving_that_it_can_be_written_does_write(tmp_path: Path) -> None:
    async with opened(SQLite(tmp_path / "connector.db")) as store:
        log = tmp_path / "connector.db-wal"
        before = log.stat().st_size
        await store.ready()
        assert log.stat().st_size > before


async def test_what_breaks_a_rule_of_the_tables_is_our_own_fault(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "connector.db")
    async with opened(database):
        with pytest.raises(Broken, match="NOT NULL"):
            await database.call("claim_codes", claims=[{"key": "code"}])


async def test_a_sqlite_file_that_cannot_be_made_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        await SQLite(tmp_path / "nowhere" / "connector.db").open()


async def test_a_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    path.write_bytes(b"something else entirely" * 99)
    with pytest.raises(StoreUnreachable):
        await SQLite(path).open()


async def test_nobody_else_on_the_machine_reads_the_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    async with opened(SQLite(path)) as store:
        await connect(store)
        with os.scandir(tmp_path) as files:
            modes = {file.name: file.stat().st_mode & 0o777 for file in files}
    assert set(modes.values()) == {0o600}, modes


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(SQLite(tmp_path / "connector.db")) as store:
        id = await connect(store)
    async with opened(SQLite(tmp_path / "connector.db")) as store:
        await store.ready()
        assert (await read(store, id)).sealed == "first"
