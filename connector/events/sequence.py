"""The number of the newest event that this process knows, for readers that wait for the next."""

from __future__ import annotations

import asyncio

from connector.clock import Clock
from connector.concurrency import sleep_until


class LastSequence:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self.value = 0

    def advance(self, value: int) -> None:
        if value > self.value:
            self.value = value
            self._changed.set()
            self._changed = asyncio.Event()

    async def wait_above(self, value: int, *, max_seconds: float) -> None:
        if self.value <= value:
            await sleep_until(self._changed, clock=self._clock, max_seconds=max_seconds)
