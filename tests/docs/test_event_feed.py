"""The loop in docs/webhooks.md reads the feed of a running service, and misses nothing.

The service uses the real clock, because the loop is another process. The loop prints a line before it commits, so a
test waits for the line of a later event before it reads the loop's database or kills the loop.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from connector.app import Service
from connector.clock import Clock
from connector.events import EVENT_TYPES
from connector.maintenance import cleanup
from tests.credentials import API_KEYS
from tests.manual_clock import ManualClock
from tests.running_service import (
    AS_SERVER,
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
)

from .programs import running_program


class Harness:
    def __init__(
        self, service: Service, url: str, simulator: Simulator, http: ClientSession
    ) -> None:
        self.service = service
        self.url = url
        self.environment = {"CONNECTOR_URL": url, "CONNECTOR_API_KEY": API_KEYS[0]}
        self._simulator = simulator
        self._http = http

    async def connect(self) -> str:
        """Connects another person each time."""
        person = str(uuid.uuid4())
        body = await connect_account(self._http, self.url, self._simulator, person=person)
        return str(body["connection_id"])

    async def disconnect(self, connection_id: str) -> None:
        async with self._http.delete(
            f"{self.url}/connections/{connection_id}", headers=AS_SERVER
        ) as response:
            assert response.status == 200

    async def read_feed(self, **query: str) -> Any:
        async with self._http.get(
            f"{self.url}/events", params=query, headers=AS_SERVER
        ) as response:
            return await response.json()

    async def until_numbered(self, connection_id: str) -> None:
        """Waits until the events of the connection can be read."""
        assert (await self.read_feed(connection_id=connection_id, wait="30"))["events"]

    async def delete_events(self) -> None:
        """Deletes all events, as the service does when they are 30 days old."""
        await self.service.store.delete_old_rows(
            cleanup.RETENTION,
            interval=timedelta(0),
            now=datetime.now(UTC) + cleanup.RETENTION.events + timedelta(minutes=1),
        )


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with running_simulator(ManualClock(datetime.now(UTC))) as simulator:
        service = Service.build(settings_for(tmp_path, simulator.url), clock=Clock())
        async with serving(service) as url, ClientSession() as http:
            yield Harness(service, url, simulator, http)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "reader").mkdir()
    return folder


def stored_next(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "inbox.db")) as database:
        [(number,)] = database.execute("select next from feed").fetchall()
        return int(number)


def stored_states(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(folder / "inbox.db")) as database:
        return dict(database.execute("select id, status from connections").fetchall())


async def test_the_loop_reads_old_and_new_events_in_their_order(
    harness: Harness, folder: Path
) -> None:
    connection = await harness.connect()
    async with running_program(folder, "follow.py", harness.environment) as loop:
        lines = await loop.read_until(f"{connection} active")
        await harness.disconnect(connection)
        lines += await loop.read_until(f"{connection} revoked")
        await loop.read_until(await harness.connect())
    assert lines[0].startswith("connection.connected 1 ")
    assert lines[-1].startswith("connection.disconnected ")
    sequence = [int(line.split()[1]) for line in lines]
    assert sequence == sorted(set(sequence))
    assert stored_states(folder)[connection] == "revoked"


async def test_a_loop_that_starts_again_continues_after_the_last_event(
    harness: Harness, folder: Path
) -> None:
    first, second = await harness.connect(), await harness.connect()
    async with running_program(folder, "follow.py", harness.environment) as loop:
        await loop.read_until(second)
    assert stored_next(folder) >= 2
    third = await harness.connect()
    async with running_program(folder, "follow.py", harness.environment) as loop:
        lines = await loop.read_until(third)
    assert not [line for line in lines if first in line]


async def test_a_loop_that_missed_events_reads_the_connections(
    harness: Harness, folder: Path
) -> None:
    first = await harness.connect()
    async with running_program(folder, "follow.py", harness.environment) as loop:
        await loop.read_until(first)
    await harness.disconnect(first)
    missed = await harness.connect()
    await harness.until_numbered(missed)
    await harness.delete_events()
    assert (await harness.read_feed(after="0"))["code"] == "events_gone"
    async with running_program(folder, "follow.py", harness.environment) as loop:
        third = await harness.connect()
        await loop.read_until(third)
        await loop.read_until(await harness.connect())
    states = stored_states(folder)
    assert (states[first], states[missed], states[third]) == ("revoked", "active", "active")


async def test_an_example_of_the_catalogue_has_the_fields_of_a_real_event(harness: Harness) -> None:
    await harness.connect()
    event = (await harness.read_feed(types="connection.connected", wait="30"))["events"][0]
    [example] = [kind.example for kind in EVENT_TYPES if kind.name == event["type"]]
    assert event["data"].keys() == example.keys()
    assert event["data"]["connection"].keys() == example["connection"].keys()
