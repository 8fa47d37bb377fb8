"""The dispatcher in the running service, and in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from connector.app import Service
from connector.clock import Clock
from connector.events import CONFIGURED_ENDPOINT_ID
from connector.events.signing import new_secret
from connector.settings import Settings
from connector.store import Store
from tests.running_service import (
    AS_SERVER,
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
)

from .harness import events_on
from .receiver import Receiver


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def settings(tmp_path: Path, simulator: Simulator, receiver: Receiver) -> Settings:
    return settings_for(
        tmp_path,
        simulator.url,
        CONNECTOR_PRIVATE_NETWORKS="127.0.0.0/8",
        CONNECTOR_WEBHOOK_URL=receiver.url,
        CONNECTOR_WEBHOOK_SECRET=new_secret().get_secret_value(),
    )


async def test_three_failures_are_repeated_in_real_time(store: Store, receiver: Receiver) -> None:
    receiver.statuses = [500, 500, 500]
    async with asyncio.timeout(20), events_on(store, Clock(), pauses=(0.1,) * 9) as events:
        await events.create(receiver.url)
        async with events.running():
            await events.write_events()
            await receiver.until_received(4)
    assert len(set(receiver.ids)) == 1


async def test_the_endpoint_of_the_settings_gets_the_event_of_a_new_connection(
    settings: Settings, simulator: Simulator, receiver: Receiver
) -> None:
    service = Service.build(settings, clock=simulator.clock)
    async with asyncio.timeout(20), serving(service) as url:
        reply = await connect_account(simulator.http, url, simulator)
        simulator.clock.advance(1)
        await receiver.until_received(1)
        [endpoint] = await service.events.endpoints.list()
    assert endpoint.id == CONFIGURED_ENDPOINT_ID
    [event] = receiver.received
    assert event.json["type"] == "connection.connected"
    assert event.json["data"]["connection"]["id"] == reply["connection_id"]


async def test_a_service_on_hold_delivers_nothing_until_it_runs_normally(
    settings: Settings, simulator: Simulator, receiver: Receiver, http: ClientSession
) -> None:
    receiver.status = 500
    async with serving(Service.build(settings, clock=simulator.clock)) as url:
        await connect_account(simulator.http, url, simulator)
        simulator.clock.advance(1)
        await receiver.until_received(1)
    simulator.clock.advance(60)
    async with serving(Service.build(settings, clock=simulator.clock, hold=True)) as url:
        simulator.clock.advance(60)
        async with http.get(f"{url}/metrics", headers=AS_SERVER) as response:
            assert "connector_deliveries_pending 1.0" in await response.text()
    assert len(receiver.received) == 1
    async with asyncio.timeout(20), serving(Service.build(settings, clock=simulator.clock)):
        await receiver.until_received(2)


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as http:
        yield http
