"""Servers read the events by number, and wait for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.app import Service
from connector.clock import Clock
from connector.web.event_schemas import ConnectionEventData
from tests.manual_clock import ManualClock
from tests.running_service import (
    AS_SERVER,
    Json,
    connect_account,
    running_simulator,
    serving,
    settings_for,
)

from .conftest import Harness, Response
from .events_harness import number_events, read

MAX_SECONDS = 3.0
Task = asyncio.Task[Response]
FAMILIES = ("marketing", "accounts", "login_kit")


async def write_events(harness: Harness) -> list[str]:
    """Returns the ids of three connections. Each one has one event."""
    ids = [(await harness.connect(family=family))["connection_id"] for family in FAMILIES]
    await number_events(harness)
    return ids


async def test_events_are_listed_with_number_type_time_and_data(each_store: Harness) -> None:
    ids = await write_events(each_store)
    listed = await read(each_store, "/events?types=connection.*&limit=3")
    event, _, last = listed["events"]
    assert (listed["next"], last["seq"]) == (event["seq"] + 2, listed["next"])
    assert event.keys() == {"id", "seq", "type", "timestamp", "data"}
    assert event["type"] == "connection.connected"
    assert event["timestamp"] == "2026-11-20T12:00:00.000000+00:00"
    described = ConnectionEventData.model_validate(event["data"])
    assert described.model_dump(mode="json") == event["data"]
    assert described.connection.id == ids[0]


async def test_a_reader_continues_after_the_last_number(harness: Harness) -> None:
    await write_events(harness)
    first = await read(harness, "/events?limit=2")
    second = await read(harness, f"/events?limit=2&after={first['next']}")
    assert [event["seq"] for event in first["events"] + second["events"]] == [1, 2, 3]
    assert await read(harness, f"/events?after={second['next']}") == {"events": [], "next": 3}


async def test_the_events_are_filtered_by_type_and_connection(harness: Harness) -> None:
    ids = await write_events(harness)
    for query, numbers in (
        ("types=connection.*", [1, 2, 3]),
        ("types=endpoint.disabled,connection.connected", [1, 2, 3]),
        ("types=tiktok.*,selection.*", []),
        (f"connection_id={ids[1]}", [2]),
        (f"connection_id={ids[1]}&types=endpoint.*", []),
        (f"connection_id={uuid4()}", []),
    ):
        listed = await read(harness, f"/events?{query}")
        assert [event["seq"] for event in listed["events"]] == numbers
        assert listed["next"] == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("types=conection.*", "types contains conection.*, which is not a type of event."),
        ("types=connection.connected,", "types contains a text, which is not a type of event."),
        ("types=*", "types contains *"),
        ("types=", "types is empty."),
        ("type=connection.*", "type is not a parameter of this address."),
        ("connection_id=1", "connection_id must be the id of a connection."),
        ("after=-1", "after must be at least 0."),
        ("after=x", "after must be a whole number."),
        ("limit=501", "limit must be at most 500."),
        ("wait=31", "wait must be at most 30."),
    ],
)
async def test_a_wrong_parameter_is_refused_with_its_name(
    harness: Harness, query: str, message: str
) -> None:
    response = await harness.get(f"/events?{query}", AS_SERVER)
    assert (response.status, response.code) == (400, "invalid_request")
    assert message in response.json["error"]


async def test_a_reader_that_asks_for_deleted_events_learns_where_to_continue(
    harness: Harness,
) -> None:
    await write_events(harness)
    harness.simulator.clock.advance(31 * 86400)
    await harness.connect()
    await number_events(harness)
    # The periodic work of the service deletes the old events.
    while (response := await harness.get("/events?after=0", AS_SERVER)).status == 200:
        pass
    assert (response.status, response.code) == (410, "events_gone")
    assert response.json["oldest"] == 4
    listed = await read(harness, "/events")
    assert [event["seq"] for event in listed["events"]] == [4]


# Long polling.


@pytest.fixture
async def waiting(harness: Harness) -> AsyncIterator[Task]:
    """A reader that waits for 30 seconds, and the clock of the service stands still."""
    reader = asyncio.create_task(harness.get("/events?after=0&wait=30", AS_SERVER))
    await until_waiting(harness.service, harness.http, harness.url)
    yield reader
    reader.cancel()
    await asyncio.wait([reader])


async def until_waiting(service: Service, http: ClientSession, url: str) -> None:
    while not service.events.feed.waiting_readers:
        async with http.get(f"{url}/healthz"):
            pass


async def test_a_reader_without_a_new_event_gets_an_empty_list_in_the_end(
    harness: Harness, waiting: Task
) -> None:
    for _ in range(15):
        assert not waiting.done()
        await until_waiting(harness.service, harness.http, harness.url)
        harness.simulator.clock.advance(2)
        await harness.get("/healthz")
    assert (await waiting).json == {"events": [], "next": 0}


async def test_a_reader_gets_the_event_that_it_waits_for(harness: Harness, waiting: Task) -> None:
    await write_events(harness)
    assert [event["seq"] for event in (await waiting).json["events"]] == [1, 2, 3]


async def test_nothing_is_read_for_a_client_that_has_gone_away(
    harness: Harness, waiting: Task
) -> None:
    waiting.cancel()
    # Other requests, so that the service notices the end of the connection.
    while harness.service.events.feed.waiting_readers:
        await harness.get("/healthz")
        harness.simulator.clock.advance(1)


async def test_a_reader_that_waits_gets_its_response_at_once_when_the_service_stops(
    tmp_path: Path,
) -> None:
    async with running_simulator() as simulator, ClientSession() as http:
        service = Service.build(settings_for(tmp_path, simulator.url), clock=simulator.clock)
        async with serving(service) as url:
            waiting = asyncio.create_task(get_events(http, url))
            await until_waiting(service, http, url)
        assert await waiting == (200, {"events": [], "next": 0})


async def test_a_reader_that_waits_gets_a_new_event_within_seconds(tmp_path: Path) -> None:
    """With the real clock, because the loops of the service do the work."""
    async with running_simulator(ManualClock(Clock().now())) as simulator:
        service = Service.build(settings_for(tmp_path, simulator.url))
        async with serving(service) as url, ClientSession() as http:
            waiting = asyncio.create_task(get_events(http, url))
            await until_waiting(service, http, url)
            started = Clock().ticks()
            connection = await connect_account(http, url, simulator)
            status, body = await waiting
            assert Clock().ticks() - started < MAX_SECONDS
    assert (status, body["next"]) == (200, 1)
    [event] = body["events"]
    assert event["data"]["connection"]["id"] == connection["connection_id"]


async def get_events(http: ClientSession, url: str) -> tuple[int, Json]:
    async with http.get(f"{url}/events?after=0&wait=30", headers=AS_SERVER) as response:
        return response.status, await response.json()
