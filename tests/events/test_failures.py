"""The database is away, the process stops, or a key is missing: no event is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.encryption import EncryptionKey, TokenCipher
from connector.errors import StoreUnreachable
from connector.events.delivery_queues import MAX_OPEN_PER_ENDPOINT
from connector.store import Store
from connector.store.sqlite import SQLite
from tests.manual_clock import ManualClock
from tests.processes import free_port

from .failing_database import FailingDatabase
from .harness import EventsUnderTest, events_on
from .receiver import Receiver


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[FailingDatabase]:
    database = FailingDatabase(SQLite(tmp_path / "connector.db"))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: FailingDatabase) -> Store:
    return Store(database)


async def states(events: EventsUnderTest) -> list[str]:
    return [row.state for row in (await events.endpoints.list_deliveries()).deliveries]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_result_that_was_not_stored_is_stored_later_and_the_event_is_not_sent_again(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase, moment: str
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    failing = database.fails_before if moment == "before" else database.fails_after
    failing.add("settle_deliveries")
    with pytest.raises(StoreUnreachable):
        await events.deliver()
    assert len(receiver.received) == 1
    failing.clear()
    await events.deliver()
    assert await states(events) == ["delivered"]
    assert len(receiver.received) == 1


async def test_nothing_is_leased_while_a_result_cannot_be_stored(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    database.fails_before.add("settle_deliveries")
    with pytest.raises(StoreUnreachable):
        await events.deliver()
    await events.write_events()
    with pytest.raises(StoreUnreachable):
        await events.deliver()
    assert database.calls["lease_due_deliveries"] == 1
    assert len(receiver.received) == 1


async def test_nothing_more_is_sent_while_a_result_cannot_be_stored(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase
) -> None:
    await events.create(receiver.url)
    await events.write_events(MAX_OPEN_PER_ENDPOINT + 2)
    await events.dispatcher.numbering.run_once()
    receiver.stop_answering()
    events.dispatcher.request_lease()
    await events.dispatcher.settle_and_lease()
    await receiver.until_received(MAX_OPEN_PER_ENDPOINT)
    database.fails_before.add("settle_deliveries")
    receiver.answer_one()
    await receiver.until_received(MAX_OPEN_PER_ENDPOINT + 1)
    with pytest.raises(StoreUnreachable):
        await events.dispatcher.settle_and_lease()
    receiver.answer()
    await events.dispatcher.wait_for_requests()
    assert len(receiver.received) == MAX_OPEN_PER_ENDPOINT + 1
    database.fails_before.clear()
    await events.dispatcher.settle_and_lease()
    await receiver.until_received(MAX_OPEN_PER_ENDPOINT + 2)
    await events.deliver()
    assert await states(events) == ["delivered"] * (MAX_OPEN_PER_ENDPOINT + 2)


async def test_the_loops_continue_when_the_database_answers_again(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase, clock: ManualClock
) -> None:
    database.fails_before.add("number_events")
    async with asyncio.timeout(20), events.running():
        await clock.until_asleep()
        database.fails_before = {"lease_due_deliveries"}
        await events.create(receiver.url)
        await events.write_events()
        clock.advance(1)
        await clock.until_asleep(2)
        database.fails_before.clear()
        clock.advance(1)
        await receiver.until_received(1)
    assert await states(events) == ["delivered"]


async def test_a_delivery_whose_lease_was_lost_is_sent_when_the_lease_has_ended(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase, clock: ManualClock
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    database.fails_after.add("lease_due_deliveries")
    with pytest.raises(StoreUnreachable):
        await events.deliver()
    database.fails_after.clear()
    await events.deliver()
    assert receiver.received == []
    clock.advance(30)
    await events.deliver()
    assert await states(events) == ["delivered"]


async def test_shutdown_waits_for_open_requests_and_releases_what_was_not_sent(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    await events.create(receiver.url)
    await events.write_events(MAX_OPEN_PER_ENDPOINT + 5)
    receiver.stop_answering()
    async with asyncio.timeout(20):
        stopped = asyncio.Event()
        running = asyncio.create_task(events.dispatcher.run_until(stopped))
        await receiver.until_received(MAX_OPEN_PER_ENDPOINT)
        stopped.set()
        await asyncio.sleep(0)
        receiver.answer()
        await running
        assert sorted(await states(events)) == ["delivered"] * 8 + ["pending"] * 5
        assert len(receiver.received) == MAX_OPEN_PER_ENDPOINT
        async with events_on(events.store, events.clock) as next_process:
            await next_process.deliver()
    assert await states(events) == ["delivered"] * 13
    assert len(receiver.received) == len(set(receiver.ids)) == 13


async def test_shutdown_ends_while_the_database_is_away(
    events: EventsUnderTest, receiver: Receiver, database: FailingDatabase, clock: ManualClock
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    async with asyncio.timeout(20):
        async with events.running():
            database.fails_before = {"settle_deliveries", "release_deliveries"}
            await receiver.until_received(1)
        database.fails_before.clear()
        clock.advance(30)
        async with events_on(events.store, clock) as next_process:
            await next_process.deliver()
    assert len(receiver.received) == 2
    assert len(set(receiver.ids)) == 1


async def test_a_process_without_the_key_sends_nothing_and_another_process_delivers(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    other_cipher = TokenCipher((EncryptionKey.generate("k2"),))
    async with events_on(events.store, clock, cipher=other_cipher) as without_key:
        await without_key.deliver()
    assert receiver.received == []
    assert await states(events) == ["pending"]
    clock.advance(30)
    await events.deliver()
    assert await states(events) == ["delivered"]


async def test_an_endpoint_that_is_away_costs_an_attempt_with_a_sentence(
    events: EventsUnderTest,
) -> None:
    await events.create(f"http://127.0.0.1:{free_port()}/hook")
    await events.write_events()
    await events.deliver()
    [delivery] = (await events.endpoints.list_deliveries()).deliveries
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("pending", 1, None)
    assert delivery.last_error == "No connection could be made: Connection refused."
