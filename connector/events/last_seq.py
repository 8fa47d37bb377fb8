"""The `seq` of the newest event that this process knows, for readers that wait for the next event."""

from __future__ import annotations

import asyncio


class LastSeq:
    def __init__(self) -> None:
        self._value = 0
        self.changed = asyncio.Event()
        """Set, and replaced by a new one, when an event has a higher number. A reader takes it before it reads the events,
        so that it does not miss an event that comes between."""

    def advance(self, value: int) -> None:
        if value > self._value:
            self._value = value
            self.wake_all()

    def wake_all(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
