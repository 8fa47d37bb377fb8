"""Numbers events and lists them.

An event gets its number after its transaction has committed. So a reader that has seen a number has seen all
lower numbers, also if the transaction of an older event commits late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .event_records import EventBounds, EventRow, NumberingResult
from .operations import Operations, parse_first_row, parse_rows

NUMBERING_BATCH = 1000


class EventOperations(Operations):
    async def number_events(
        self, *, now: datetime | None, max_rows: int = NUMBERING_BATCH
    ) -> NumberingResult:
        """Numbers events in one process at a time, and queues a delivery to each enabled endpoint that wants the event."""
        rows = await self._call("number_events", max_rows=max_rows, now=now)
        return parse_first_row(NumberingResult, rows)

    async def get_event_bounds(self) -> EventBounds:
        return parse_first_row(EventBounds, await self._call("get_event_bounds"))

    async def skip_event_numbers(self, count: int) -> EventBounds:
        """After a restore of an older backup: readers must not take a new event for one that they have."""
        return parse_first_row(EventBounds, await self._call("skip_event_numbers", count=count))

    async def list_events(
        self,
        *,
        after: int,
        until: int,
        patterns: Sequence[str] | None = None,
        connection_id: str | None = None,
        max_rows: int,
    ) -> list[EventRow]:
        """Lists events with a number above `after`, up to `until`, in the order of their numbers."""
        rows = await self._call(
            "list_events",
            after=after,
            until=until,
            patterns=None if patterns is None else list(patterns),
            connection_id=connection_id,
            max_rows=max_rows,
        )
        return parse_rows(EventRow, rows)
