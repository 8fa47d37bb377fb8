"""How often a process looks for events that another process has written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.events.numbering import MIN_INTERVAL_SECONDS, POLL_SECONDS
from connector.store import Store
from connector.store.sqlite import SQLite
from tests.manual_clock import ManualClock
from tests.store.builders import connect

from .failing_database import FailingDatabase
from .harness import EventsUnderTest


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[FailingDatabase]:
    database = FailingDatabase(SQLite(tmp_path / "connector.db"))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: FailingDatabase) -> Store:
    return Store(database)


async def advance(clock: ManualClock, seconds: float) -> None:
    clock.advance(seconds)
    await clock.until_asleep()


async def test_the_next_events_are_looked_for_earlier_while_events_come(
    events: EventsUnderTest, database: FailingDatabase, clock: ManualClock
) -> None:
    other_process = Store(database)
    async with asyncio.timeout(30), events.running():
        await clock.until_asleep()
        await connect(other_process, now=clock.now())
        await advance(clock, MIN_INTERVAL_SECONDS)
        assert database.calls["number_events"] == 1
        await advance(clock, POLL_SECONDS - MIN_INTERVAL_SECONDS)
        assert database.calls["number_events"] == 2
        await advance(clock, MIN_INTERVAL_SECONDS)
        assert database.calls["number_events"] == 3
        await advance(clock, MIN_INTERVAL_SECONDS)
        assert database.calls["number_events"] == 3
