"""Old rows are deleted once an hour; a failed or incomplete cleanup does not stop the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.errors import StoreUnreachable
from connector.maintenance import CleanupJob
from connector.maintenance.cleanup import CLEANUP_INTERVAL
from connector.store import AuditEntry, AuditFilter, Store
from connector.store.sqlite import SQLite
from tests.manual_clock import ManualClock


class CleanupRecorder(SQLite):
    """Counts the cleanups. A test makes a cleanup fail, or report that rows are left."""

    cleanup_count = 0
    is_unreachable = False
    more_left = False

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        if operation != "delete_old_rows":
            return await super().call(operation, **arguments)
        self.cleanup_count += 1
        if self.is_unreachable:
            raise StoreUnreachable("The database does not answer.")
        rows = await super().call(operation, **arguments)
        return [{"more_left": True}] if self.more_left else rows


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[CleanupRecorder]:
    database = CleanupRecorder(tmp_path / "connector.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def cleanup(clock: ManualClock, database: CleanupRecorder) -> CleanupJob:
    return CleanupJob(store=Store(database), clock=clock)


async def test_the_cleanup_runs_at_the_start_and_then_once_an_hour(
    cleanup: CleanupJob, database: CleanupRecorder, clock: ManualClock
) -> None:
    for _ in range(3):
        await cleanup.run_once()
    assert database.cleanup_count == 1
    clock.advance(CLEANUP_INTERVAL.total_seconds())
    await cleanup.run_once()
    assert database.cleanup_count == 2


async def test_a_failed_cleanup_is_not_repeated_in_the_next_round(
    cleanup: CleanupJob, database: CleanupRecorder, clock: ManualClock
) -> None:
    database.is_unreachable = True
    with pytest.raises(StoreUnreachable):
        await cleanup.run_once()
    clock.advance(5)
    await cleanup.run_once()
    assert database.cleanup_count == 1


async def test_a_cleanup_that_left_rows_continues_in_the_next_round(
    cleanup: CleanupJob, database: CleanupRecorder, clock: ManualClock
) -> None:
    database.more_left = True
    await cleanup.run_once()
    clock.advance(5)
    await cleanup.run_once()
    assert database.cleanup_count == 2


async def test_audit_entries_are_deleted_after_ninety_days(
    cleanup: CleanupJob, database: CleanupRecorder, clock: ManualClock
) -> None:
    store = Store(database)
    ages = {"young": timedelta(days=89, hours=23), "old": timedelta(days=90, seconds=1)}
    for id, age in ages.items():
        await store.add_audit_entries(
            [AuditEntry(at=clock.now() - age, id=id, actor="a", action="read_token")]
        )
    await cleanup.run_once()
    left = await store.list_audit_entries(AuditFilter(), before=None, max_rows=10)
    assert [entry.id for entry in left] == ["young"]
