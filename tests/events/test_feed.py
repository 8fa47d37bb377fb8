"""The events in the order of their numbers, and the wait for the next event."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from connector.clock import Clock
from connector.errors import EventsGone, InvalidRequest
from connector.events.feed import MAX_EVENTS, MAX_WAIT_SECONDS
from connector.maintenance.cleanup import RETENTION
from connector.store import Store
from tests.manual_clock import ManualClock

from .harness import EventsUnderTest, events_on


async def test_events_are_read_in_pages_in_the_order_of_their_numbers(
    events: EventsUnderTest,
) -> None:
    await events.write_events(5)
    await events.deliver()
    seen: list[int] = []
    after = 0
    while (page := await events.feed.read(after=after, limit=2)).events:
        seen += [event.seq for event in page.events]
        after = page.next
    assert seen == [1, 2, 3, 4, 5]
    assert after == 5


async def test_events_can_be_selected_and_the_others_are_not_examined_again(
    events: EventsUnderTest,
) -> None:
    await events.write_events(3)
    await events.deliver()
    everything = (await events.feed.read(after=0)).events
    connection_id = everything[1].connection_id
    page = await events.feed.read(after=0, connection_id=connection_id)
    assert [event.seq for event in page.events] == [2]
    assert page.next == 3
    assert (await events.feed.read(after=0, types=["endpoint.*"])).events == ()
    assert len((await events.feed.read(after=0, types=["connection.*"])).events) == 3


async def test_an_event_without_a_number_is_not_visible_yet(events: EventsUnderTest) -> None:
    await events.write_events()
    page = await events.feed.read(after=0)
    assert (page.events, page.next) == ((), 0)


async def test_a_reader_that_waits_gets_the_event_at_once(store: Store) -> None:
    async with asyncio.timeout(3), events_on(store, Clock()) as events, events.running():
        waiting = asyncio.create_task(events.feed.read(after=0, wait_seconds=MAX_WAIT_SECONDS))
        await asyncio.sleep(0)
        await events.write_events()
        assert [event.seq for event in (await waiting).events] == [1]


async def test_a_reader_sees_an_event_that_another_process_has_numbered(
    events: EventsUnderTest, clock: ManualClock
) -> None:
    waiting = asyncio.create_task(events.feed.read(after=0, wait_seconds=MAX_WAIT_SECONDS))
    await clock.until_asleep()
    async with events_on(events.store, clock) as other_process:
        await other_process.write_events()
        await other_process.deliver()
    clock.advance(2)
    assert [event.seq for event in (await waiting).events] == [1]


async def test_a_wait_without_an_event_ends_after_its_time(
    events: EventsUnderTest, clock: ManualClock
) -> None:
    waiting = asyncio.create_task(events.feed.read(after=0, wait_seconds=5))
    for seconds in (2, 2, 1):
        await clock.until_asleep()
        assert not waiting.done()
        clock.advance(seconds)
    page = await waiting
    assert (page.events, page.next) == ((), 0)


async def test_a_wait_goes_on_after_an_event_that_was_not_asked_for(
    events: EventsUnderTest, clock: ManualClock
) -> None:
    waiting = asyncio.create_task(
        events.feed.read(after=0, types=["tiktok.*"], wait_seconds=MAX_WAIT_SECONDS)
    )
    await clock.until_asleep()
    await events.write_events()
    await events.deliver()
    await clock.until_asleep()
    assert not waiting.done()
    clock.advance(MAX_WAIT_SECONDS)
    page = await waiting
    assert (page.events, page.next) == ((), 1)


async def test_events_that_were_deleted_are_gone_and_the_error_names_the_oldest(
    events: EventsUnderTest, clock: ManualClock
) -> None:
    await events.write_events(2)
    await events.deliver()
    clock.advance(timedelta(days=31).total_seconds())
    await events.write_events()
    await events.deliver()
    await events.store.delete_old_rows(
        RETENTION, now=clock.now(), interval=timedelta(0), max_rows=100
    )
    with pytest.raises(EventsGone) as gone:
        await events.feed.read(after=1)
    assert gone.value.oldest == 3
    assert [event.seq for event in (await events.feed.read(after=2)).events] == [3]


@pytest.mark.parametrize(
    "arguments",
    [
        {"after": -1},
        {"after": 0, "limit": 0},
        {"after": 0, "limit": MAX_EVENTS + 1},
        {"after": 0, "wait_seconds": 31.0},
        {"after": 0, "types": ["*"]},
        {"after": 2**63},
    ],
)
async def test_a_number_outside_its_range_and_an_unknown_type_are_refused(
    events: EventsUnderTest, arguments: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest):
        await events.feed.read(**arguments)  # type: ignore[arg-type]  # one wrong value each


async def test_a_reader_with_filters_finds_a_distant_event(
    events: EventsUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await events.write_events(7)
    await events.deliver()
    connection_id = (await events.feed.read(after=0)).events[4].connection_id
    monkeypatch.setattr("connector.events.feed.MAX_EXAMINED", 2)
    page = await events.feed.read(after=0, connection_id=connection_id)
    assert ([event.seq for event in page.events], page.next) == ([5], 6)
    page = await events.feed.read(after=page.next, connection_id=connection_id)
    assert (page.events, page.next) == ((), 7)


async def test_a_reader_beyond_the_newest_event_is_told_that_the_database_is_older(
    events: EventsUnderTest,
) -> None:
    """It would wait without an error until its number is reached, and miss all events before."""
    await events.write_events(2)
    await events.deliver()
    with pytest.raises(EventsGone, match="after=2, and read the connections") as gone:
        await events.feed.read(after=3, wait_seconds=MAX_WAIT_SECONDS)
    assert gone.value.oldest == 3
    assert (await events.feed.read(after=2)).events == ()
