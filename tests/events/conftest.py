"""Fixtures of the tests of events: a SQLite store, a receiver, and the parts that deliver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.store import Store
from connector.store.sqlite import SQLite
from tests.manual_clock import ManualClock
from tests.store.conftest import open_store

from .harness import EventsUnderTest, events_on
from .receiver import Receiver, running_receiver


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(SQLite(tmp_path / "connector.db")) as store:
        yield store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
async def events(store: Store, clock: ManualClock) -> AsyncIterator[EventsUnderTest]:
    async with events_on(store, clock) as events:
        yield events
