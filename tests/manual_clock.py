"""A clock that moves only when a test advances it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from connector.clock import Clock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class ManualClock(Clock):
    """A sleeping task wakes when the clock is advanced past its time, and not before."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._advanced = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._task_fell_asleep = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._advanced)

    def database_time(self) -> datetime:
        return self.now()

    def ticks(self) -> float:
        return self._advanced

    def advance(self, seconds: float) -> None:
        self._advanced += seconds
        for sleeper, wakes_at in list(self._sleepers.items()):
            if wakes_at <= self._advanced and not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._advanced + seconds
        self._task_fell_asleep.set()
        try:
            await sleeper
        finally:
            del self._sleepers[sleeper]

    async def until_asleep(self, sleepers: int = 1) -> None:
        """Waits until `count` tasks sleep, because advancing the clock too early wakes no task."""
        while sum(not sleeper.done() for sleeper in self._sleepers) < sleepers:
            self._task_fell_asleep.clear()
            await self._task_fell_asleep.wait()
