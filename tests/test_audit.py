"""The audit never delays or fails a request, and loses nothing while the queue has room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector import audit
from connector.audit import AuditLog
from connector.errors import InternalError, StoreUnreachable
from connector.store import AuditEntry, AuditFilter, Store
from connector.store.sqlite import SQLite

from .manual_clock import NOON, ManualClock


class FailingDatabase(SQLite):
    """A database that a test can break, and that can lose the response of a write."""

    error: Exception | None = None
    loses_response = False
    hangs = False

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        if operation == "add_audit_entries":
            if self.hangs:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
            rows = await super().call(operation, **arguments)
            if self.loses_response:
                raise StoreUnreachable("The response was lost.")
            return rows
        return await super().call(operation, **arguments)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[FailingDatabase]:
    database = FailingDatabase(tmp_path / "connector.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def dropped() -> list[int]:
    return []


@pytest.fixture
def log(database: FailingDatabase, dropped: list[int]) -> AuditLog:
    return AuditLog(store=Store(database), clock=ManualClock(), on_dropped=dropped.append)


async def written(database: FailingDatabase) -> list[AuditEntry]:
    return await Store(database).list_audit_entries(AuditFilter(), before=None, max_rows=1000)


async def actors(database: FailingDatabase) -> list[str]:
    return [entry.actor for entry in reversed(await written(database))]


async def test_an_entry_says_who_did_what_when_and_from_where(
    log: AuditLog, database: FailingDatabase
) -> None:
    log.record("read_token", actor="billing", connection_id="c", request_id="r", peer="10.0.0.1")
    await log.write()
    [entry] = await written(database)
    assert (entry.at, entry.actor, entry.action) == (NOON, "billing", "read_token")
    assert (entry.connection_id, entry.user_id) == ("c", None)
    assert (entry.request_id, entry.peer) == ("r", "10.0.0.1")


async def test_recording_calls_no_database(log: AuditLog, database: FailingDatabase) -> None:
    database.hangs = True
    log.record("read_token", actor="billing")
    assert await written(database) == []


async def test_the_task_writes_the_queue_within_a_second(
    log: AuditLog, database: FailingDatabase
) -> None:
    assert audit.WRITE_INTERVAL_SECONDS < 1
    task = asyncio.create_task(log.run_forever())
    log.record("read_token", actor="billing")
    while not await written(database):
        log._clock.advance(audit.WRITE_INTERVAL_SECONDS)  # type: ignore[attr-defined]
        await asyncio.wait({task}, timeout=0.005)
    task.cancel()
    await asyncio.wait({task})


async def test_entries_stay_in_the_queue_while_the_database_is_unreachable(
    log: AuditLog, database: FailingDatabase, dropped: list[int]
) -> None:
    database.error = StoreUnreachable("The database does not answer.")
    for actor in ("first", "second"):
        log.record("read_token", actor=actor)
        with pytest.raises(StoreUnreachable):
            await log.write()
    database.error = None
    await log.write()
    assert await actors(database) == ["first", "second"]
    assert dropped == []


async def test_an_entry_whose_write_was_answered_with_an_error_is_not_written_twice(
    log: AuditLog, database: FailingDatabase
) -> None:
    log.record("read_token", actor="billing")
    database.loses_response = True
    with pytest.raises(StoreUnreachable):
        await log.write()
    database.loses_response = False
    await log.write()
    assert await actors(database) == ["billing"]


async def test_entries_over_the_limit_are_dropped_counted_and_logged_once(
    log: AuditLog,
    database: FailingDatabase,
    dropped: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(audit, "MAX_QUEUED", 2)
    caplog.set_level(logging.WARNING)
    for n in range(5):
        log.record("read_token", actor=f"{n}")
    await log.write()
    assert await actors(database) == ["0", "1"]
    assert sum(dropped) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "audit entries are dropped until the database accepts them",
        "audit entries were dropped count=3",
    ]


async def test_entries_that_the_database_refuses_for_good_do_not_block_later_entries(
    log: AuditLog, database: FailingDatabase, dropped: list[int]
) -> None:
    log.record("read_token", actor="refused")
    database.error = InternalError("The database refused an operation.")
    with pytest.raises(InternalError):
        await log.write()
    database.error = None
    log.record("read_token", actor="next")
    await log.write()
    assert await actors(database) == ["next"]
    assert dropped == [1]


async def test_the_queue_is_written_in_batches(
    log: AuditLog, database: FailingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH_SIZE", 2)
    for n in range(5):
        log.record("read_token", actor=f"{n}")
    await log.write()
    assert await actors(database) == ["0", "1", "2", "3", "4"]


async def test_closing_writes_the_rest(log: AuditLog, database: FailingDatabase) -> None:
    log.record("read_token", actor="billing")
    await log.close()
    assert await actors(database) == ["billing"]


async def test_closing_does_not_wait_for_a_database_that_hangs(
    log: AuditLog,
    database: FailingDatabase,
    dropped: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "CLOSE_TIMEOUT_SECONDS", 0.01)
    database.hangs = True
    log.record("read_token", actor="billing")
    await log.close()
    assert dropped == [1]


async def test_two_writes_at_once_lose_no_entry(log: AuditLog, database: FailingDatabase) -> None:
    log.record("read_token", actor="first")
    writes = [asyncio.create_task(log.write()) for _ in range(2)]
    await asyncio.sleep(0)
    log.record("read_token", actor="second")
    await asyncio.gather(*writes)
    await log.write()
    assert await actors(database) == ["first", "second"]
