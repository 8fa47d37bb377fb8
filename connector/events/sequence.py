"""The number of the newest event that this process knows, for readers that wait for the next."""

from __future__ import annotations

import asyncio


class LastSequence:
    def __init__(self) -> None:
        self._value = 0
        self.changed = asyncio.Event()
        """Set, and replaced, when there is a higher number. Take it before you look for events."""

    def advance(self, value: int) -> None:
        if value > self._value:
            self._value = value
            self.wake_all()

    def wake_all(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
