"""How many requests are open, and that one endpoint does not delay another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector.clock import Clock
from connector.events.delivery_queues import MAX_OPEN_PER_ENDPOINT
from connector.events.dispatcher import MAX_ROWS_PER_LEASE
from connector.store import Store
from connector.store.sqlite import SQLite
from tests.manual_clock import ManualClock
from tests.store.conftest import open_store

from .harness import EventsUnderTest, events_on
from .receiver import Receiver

WAITING = 1000


async def write_waiting_events(events: EventsUnderTest, count: int) -> None:
    await asyncio.gather(*(events.write_events() for _ in range(count)))


async def test_an_endpoint_that_never_answers_does_not_delay_another(
    store: Store, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.stop_answering()
    async with events_on(store, Clock()) as events:
        await events.create(receiver.url)
        await write_waiting_events(events, WAITING)
        await events.dispatcher.numbering.run_once()
        await events.create(other_receiver.url)
        async with asyncio.timeout(30), events.running():
            await receiver.until_received(MAX_OPEN_PER_ENDPOINT)
            async with asyncio.timeout(10):
                await write_waiting_events(events, 100)
                await other_receiver.until_received(100)
            assert len(receiver.received) == MAX_OPEN_PER_ENDPOINT
            receiver.answer()
    assert receiver.max_open == MAX_OPEN_PER_ENDPOINT
    assert len(set(other_receiver.ids)) == 100


async def test_two_replicas_together_open_at_most_eight_requests_to_an_endpoint(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.stop_answering()
    async with (
        open_store(SQLite(tmp_path / "connector.db")) as store,
        open_store(SQLite(tmp_path / "connector.db")) as other_store,
        events_on(store, Clock()) as events,
        events_on(other_store, Clock()) as others,
    ):
        await events.create(receiver.url)
        await write_waiting_events(events, 50)
        async with asyncio.timeout(30), events.running(), others.running():
            await receiver.until_received(MAX_OPEN_PER_ENDPOINT)
            for replica in (events, others):
                await replica.dispatcher.numbering.run_once()
                replica.dispatcher.request_lease()
                await replica.dispatcher.settle_and_lease()
            assert receiver.open == MAX_OPEN_PER_ENDPOINT
            receiver.answer()
            await receiver.until_received(50)
    assert receiver.max_open == MAX_OPEN_PER_ENDPOINT
    assert len(set(receiver.ids)) == 50


async def test_two_replicas_send_each_event_once(
    tmp_path: Path, receiver: Receiver, other_receiver: Receiver
) -> None:
    async with (
        open_store(SQLite(tmp_path / "connector.db")) as store,
        open_store(SQLite(tmp_path / "connector.db")) as other_store,
        events_on(store, Clock()) as events,
        events_on(other_store, Clock()) as others,
    ):
        for url in (receiver.url, other_receiver.url):
            await events.create(url)
        async with asyncio.timeout(30), events.running(), others.running():
            await write_waiting_events(events, 150)
            await receiver.until_received(150)
            await other_receiver.until_received(150)
    assert len(receiver.received) == len(set(receiver.ids)) == 150
    assert len(other_receiver.received) == len(set(other_receiver.ids)) == 150


async def test_a_delivery_is_not_sent_if_less_than_16_seconds_of_its_lease_are_left(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    receiver.stop_answering()
    await events.create(receiver.url)
    await events.write_events(10)
    await events.dispatcher.numbering.run_once()
    events.dispatcher.request_lease()
    await events.dispatcher.settle_and_lease()
    await receiver.until_received(MAX_OPEN_PER_ENDPOINT)
    clock.advance(14)
    receiver.answer()
    await events.dispatcher.wait_for_requests()
    await events.dispatcher.settle_and_lease()
    assert len(receiver.received) == MAX_OPEN_PER_ENDPOINT
    clock.advance(16)
    await events.deliver()
    assert len(receiver.received) == 10


async def test_every_event_is_delivered_while_tokens_are_read(
    store: Store, receiver: Receiver
) -> None:
    async with (
        events_on(store, Clock(), has_foreground_requests=lambda: True) as events,
        asyncio.timeout(30),
        events.running(),
    ):
        await events.create(receiver.url)
        await write_waiting_events(events, 30)
        await receiver.until_received(30)


async def test_a_lease_has_no_more_rows_than_postgrest_returns(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    for _ in range(8):
        await events.create(receiver.url)
    await write_waiting_events(events, 64)
    await events.dispatcher.numbering.run_once()
    receiver.stop_answering()
    events.dispatcher.request_lease()
    await events.dispatcher.settle_and_lease()
    owner = events.dispatcher._lease_owner
    rows = await events.store.lease_due_deliveries(
        lease_owner=owner,
        max_rows=1000,
        max_per_endpoint=64,
        lease_seconds=30,
        now=events.clock.database_time(),
    )
    assert len(rows) == 8 * 64 - MAX_ROWS_PER_LEASE
    receiver.answer()
    await events.dispatcher.wait_for_requests()
