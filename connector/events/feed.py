"""Reads the numbered events, and waits for the next one (long polling).

A reader continues after the number `next`. When a number is visible, all events with lower numbers are visible, so a
reader misses no event. A reader that does not keep up for 30 days gets `EventsGone`. A reader that waits is released
when the service stops, or when its client has gone away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connector.clock import Clock
from connector.concurrency import sleep_until
from connector.errors import EventsGone, InvalidRequest
from connector.model import UUID_PATTERN
from connector.store import EventRow, Store

from .catalogue import parse_patterns
from .last_seq import LastSeq

EVENT_RETENTION = timedelta(days=30)
MAX_EVENTS = 500
DEFAULT_EVENTS = 100
MAX_WAIT_SECONDS = 30.0
MAX_EXAMINED = 20_000
"""The events that one query of the database examines, if few of them match the filters."""

POLL_SECONDS = 2.0
"""Another replica may number an event, and with `--hold` this process numbers none."""


@dataclass(frozen=True)
class EventPage:
    events: tuple[EventRow, ...]
    next: int
    """The value of `after` for the next page."""


class EventFeed:
    def __init__(self, *, store: Store, last_seq: LastSeq, clock: Clock) -> None:
        self._store = store
        self._last_seq = last_seq
        self._clock = clock
        self._is_stopping = False
        self.waiting_readers = 0

    def stop_waiting(self) -> None:
        """Releases all readers that wait, because a service that stops must not wait for new events."""
        self._is_stopping = True
        self._last_seq.wake_all()

    async def read(
        self,
        *,
        after: int | None = None,
        types: Sequence[str] | None = None,
        connection_id: str | None = None,
        limit: int = DEFAULT_EVENTS,
        wait_seconds: float = 0.0,
        is_client_connected: Callable[[], bool] = lambda: True,
    ) -> EventPage:
        """Returns the events after a number, in their order; without `after`, from the oldest event that is kept.

        Without events, waits up to `wait_seconds`.
        """
        _check_range("after", after or 0, minimum=0, maximum=2**53)
        _check_range("limit", limit, minimum=1, maximum=MAX_EVENTS)
        _check_range("wait", wait_seconds, minimum=0, maximum=MAX_WAIT_SECONDS)
        patterns = None if types is None else parse_patterns(types, field="types")
        if connection_id is not None and not UUID_PATTERN.fullmatch(connection_id):
            raise InvalidRequest("connection_id must be the id of a connection.")
        deadline = self._clock.ticks() + wait_seconds
        while True:
            changed = self._last_seq.changed
            page = await self._page(after, patterns, connection_id, limit)
            remaining = deadline - self._clock.ticks()
            if page.events or remaining <= 0 or self._is_stopping or not is_client_connected():
                return page
            # The events that were examined are not examined again.
            after = page.next
            self.waiting_readers += 1
            try:
                seconds = min(remaining, POLL_SECONDS)
                await sleep_until(changed, clock=self._clock, max_seconds=seconds)
            finally:
                self.waiting_readers -= 1

    async def _page(
        self,
        after: int | None,
        patterns: tuple[str, ...] | None,
        connection_id: str | None,
        limit: int,
    ) -> EventPage:
        bounds = await self._store.get_event_bounds()
        if after is None:
            after = bounds.oldest - 1
        if after + 1 < bounds.oldest:
            raise EventsGone(
                f"Events are kept for {EVENT_RETENTION.days} days, and the oldest has the number {bounds.oldest}. Continue with "
                f"after={bounds.oldest - 1}, and read the connections for what was missed.",
                oldest=bounds.oldest,
            )
        if after > bounds.last:
            # Otherwise the reader would wait without an error, and miss all events up to this number.
            raise EventsGone(
                f"The newest event has the number {bounds.last}: the database may be restored from a backup. Continue "
                f"with after={bounds.last}, and read the connections for what was missed.",
                oldest=bounds.last + 1,
            )
        while after < bounds.last:
            until = min(after + MAX_EXAMINED, bounds.last)
            events = await self._store.list_events(
                after=after,
                until=until,
                patterns=patterns,
                connection_id=connection_id,
                max_rows=limit,
            )
            if events:
                return EventPage(tuple(events), events[-1].seq if len(events) == limit else until)
            after = until
        return EventPage((), after)


def _check_range(name: str, number: float, *, minimum: int, maximum: float) -> None:
    if not minimum <= number <= maximum:
        raise InvalidRequest(f"{name} must be a number from {minimum} to {maximum:.0f}.")
