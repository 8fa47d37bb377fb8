"""A clock that stands still until a test turns it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from connector.clock import Clock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class TurnedClock(Clock):
    """Whoever sleeps wakes when the clock is turned past their time, and not before."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._turned = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._went_to_sleep = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._turned)

    def ticks(self) -> float:
        return self._turned

    def turn(self, seconds: float) -> None:
        self._turned += seconds
        for sleeper, until in list(self._sleepers.items()):
            if until <= self._turned and not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._turned + seconds
        self._went_to_sleep.set()
        try:
            await sleeper
        finally:
            del self._sleepers[sleeper]

    async def until_asleep(self, sleepers: int = 1) -> None:
        """Turning too early wakes nobody: wait here until that many have gone to sleep."""
        while sum(not sleeper.done() for sleeper in self._sleepers) < sleepers:
            self._went_to_sleep.clear()
            await self._went_to_sleep.wait()
