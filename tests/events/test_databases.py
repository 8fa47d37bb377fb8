"""The deliveries on each database, which decides who may send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connector.clock import Clock
from connector.store import Store
from tests.manual_clock import NOON, ManualClock
from tests.store.conftest import DatabaseUnderTest
from tests.store.conftest import database as database
from tests.store.other_replica import on_postgres, uncommitted
from tests.supabase_stack import Stack

from .harness import EventsUnderTest, events_on
from .receiver import Receiver


@pytest.fixture
async def store(database: DatabaseUnderTest) -> Store:
    return await database.open_store()


@pytest.fixture
async def replica(database: DatabaseUnderTest) -> AsyncIterator[EventsUnderTest]:
    async with events_on(await database.open_store(), Clock()) as events:
        yield events


async def test_a_failed_delivery_is_repeated_and_a_delivered_event_can_be_replayed(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    await events.write_events()
    receiver.statuses = [500]
    await events.deliver()
    failing = await events.endpoints.get(endpoint_id)
    assert (failing.failing_since, failing.failures, failing.pending) == (NOON, 1, 1)
    clock.advance(6)
    await events.deliver()
    healthy = await events.endpoints.get(endpoint_id)
    assert (healthy.failing_since, healthy.failures, healthy.pending) == (None, 0, 0)
    assert (healthy.last_success_at, healthy.delivered_24h) == (clock.now(), 1)
    assert (await events.endpoints.replay(endpoint_id, since=NOON, again=True)).count == 1
    await events.deliver()
    assert len(receiver.received) == 3
    assert len(set(receiver.ids)) == 1


async def test_a_gone_endpoint_is_disabled_and_the_others_are_told(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    await events.create(other_receiver.url, events=["endpoint.*"])
    await events.write_events(3)
    receiver.status = 410
    await events.deliver()
    await events.deliver()
    endpoint = await events.endpoints.get(endpoint_id)
    assert (endpoint.state, endpoint.pending) == ("disabled", 0)
    assert other_receiver.types == ["endpoint.disabled"]
    page = await events.feed.read(after=0)
    assert [event.seq for event in page.events] == [1, 2, 3, 4]


async def test_replicas_send_each_event_once_and_a_reader_misses_none(
    store: Store, replica: EventsUnderTest, receiver: Receiver
) -> None:
    async with asyncio.timeout(60), events_on(store, Clock()) as events:
        await events.create(receiver.url)
        async with events.running(), replica.running():
            writers = (events.write_events(20), replica.write_events(20))
            await asyncio.gather(*writers)
            await receiver.until_received(40)
        page = await replica.feed.read(after=0)
    assert len(receiver.received) == len(set(receiver.ids)) == 40
    assert receiver.max_open <= 8
    assert [event.seq for event in page.events] == list(range(1, 41))
    assert {event.id for event in page.events} == set(receiver.ids)


async def test_the_secret_of_an_endpoint_is_replaced_once(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    rotated = await asyncio.gather(*(events.endpoints.rotate_secret(endpoint_id) for _ in range(2)))
    await events.endpoints.send_test(endpoint_id)
    [event] = receiver.received
    assert len(event.signature.split(" ")) == 2
    assert len({entry.secret for entry in rotated}) == 2


@on_postgres
async def test_numbering_does_not_repeat_while_another_process_numbers(
    events: EventsUnderTest, stack: Stack
) -> None:
    await events.write_events()
    async with asyncio.timeout(30), uncommitted(stack, "number_events(1000, $1)", NOON):
        await events.dispatcher.numbering.run_once()
        assert (await events.feed.read(after=0)).events == ()
    await events.dispatcher.numbering.run_once()
    assert [event.seq for event in (await events.feed.read(after=0)).events] == [1]
