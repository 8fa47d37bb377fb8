"""The official library of Standard Webhooks verifies what an endpoint receives.

The library compares the time of a request with the real time, so the service begins at the real time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, DummyCookieJar
from standardwebhooks import Webhook, WebhookVerificationError

from connector.app import Service
from connector.clock import Clock
from tests.events.receiver import ReceivedEvent, Receiver, running_receiver
from tests.manual_clock import ManualClock
from tests.running_service import running_simulator, serving, settings_for

from .conftest import Harness
from .events_harness import LOOPBACK, change, create_endpoint, number_events

GRACE = timedelta(hours=1)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@asynccontextmanager
async def service_before_now(tmp_path: Path, before: timedelta) -> AsyncIterator[Harness]:
    clock = ManualClock(Clock().now() - before)
    async with (
        running_simulator(clock) as simulator,
        ClientSession(cookie_jar=DummyCookieJar()) as http,
    ):
        settings = settings_for(tmp_path, simulator.url, **LOOPBACK)
        service = Service.build(settings, clock=clock)
        async with serving(service) as url:
            yield Harness(url, service, simulator, http)


async def receive_event(harness: Harness, receiver: Receiver) -> ReceivedEvent:
    await harness.connect()
    await number_events(harness)
    await receiver.until_received(1)
    return receiver.received[-1]


def verify(event: ReceivedEvent, secret: str) -> None:
    headers = {
        "webhook-id": event.id,
        "webhook-timestamp": str(event.timestamp),
        "webhook-signature": event.signature,
    }
    assert Webhook(secret).verify(event.body, headers) == event.json


async def test_an_event_is_verified_with_the_secret_of_its_endpoint(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with service_before_now(tmp_path, timedelta()) as harness:
        secret = (await create_endpoint(harness, receiver.url))["secret"]
        event = await receive_event(harness, receiver)
        verify(event, secret)
        other = (await create_endpoint(harness, receiver.url))["secret"]
        with pytest.raises(WebhookVerificationError):
            verify(event, other)


async def test_in_the_grace_time_an_event_is_verified_with_either_secret(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with service_before_now(tmp_path, timedelta()) as harness:
        created = await create_endpoint(harness, receiver.url)
        path = f"/endpoints/{created['id']}/secret"
        rotated = (await change(harness, "POST", path, grace_hours=1)).json
        event = await receive_event(harness, receiver)
        verify(event, created["secret"])
        verify(event, rotated["secret"])


async def test_after_the_grace_time_an_event_is_verified_with_the_new_secret_only(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with service_before_now(tmp_path, GRACE) as harness:
        created = await create_endpoint(harness, receiver.url)
        path = f"/endpoints/{created['id']}/secret"
        rotated = (await change(harness, "POST", path, grace_hours=1)).json
        harness.simulator.clock.advance(GRACE.total_seconds())
        event = await receive_event(harness, receiver)
        verify(event, rotated["secret"])
        with pytest.raises(WebhookVerificationError):
            verify(event, created["secret"])


async def test_a_rotation_without_grace_ends_the_old_secret_at_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with service_before_now(tmp_path, timedelta()) as harness:
        created = await create_endpoint(harness, receiver.url)
        path = f"/endpoints/{created['id']}/secret"
        rotated = (await change(harness, "POST", path, grace_hours=0)).json
        event = await receive_event(harness, receiver)
        verify(event, rotated["secret"])
        with pytest.raises(WebhookVerificationError):
            verify(event, created["secret"])
        for hours in (-1, 169):
            refused = await change(harness, "POST", path, grace_hours=hours)
            assert (refused.status, refused.code) == (400, "invalid_request")
