"""Flights: what is done for one connection, by one task at a time, and once begun is never cut.

Each is a task of its own. Whoever asked may go away, and whoever asks meanwhile for the same
connection gets the same answer. For those that nobody waits for there is a pace: how many may be in
the air. It falls to one when nothing comes back, and then doubles with every round that does; while
somebody asks for tokens it is kept low, because they come first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from .clock import Clock
from .errors import ConnectorError
from .model import Kept

log = logging.getLogger(__name__)

Flight = Coroutine[Any, Any, Kept]

AT_A_TIME = 32
"""Claimed in one go. What departs together also comes back together: with hundreds the loop stood
still in between, and half as many landed in the end."""

FEW, FEW_AT_A_TIME = 64, 8
"""While tokens are asked for: enough to keep a million connections of two hours each, and too few
for those who ask to notice."""

LATELY = 1.0


class Flights:
    def __init__(self, most: int, clock: Clock) -> None:
        self._tasks: dict[str, asyncio.Task[Kept]] = {}
        self._most = most
        self._pace = most
        self._landed = asyncio.Event()
        self._clock = clock
        self._asked_at = -LATELY

    def __contains__(self, id: str) -> bool:
        return id in self._tasks

    async def join(self, id: str, begin: Callable[[], Flight]) -> Kept:
        """The answer of the flight that is in the air, or else of a new one."""
        return await asyncio.shield(self._tasks.get(id) or self.depart(id, begin()))

    def depart(self, id: str, flight: Flight) -> asyncio.Task[Kept]:
        task = self._tasks[id] = asyncio.create_task(flight)
        task.add_done_callback(lambda done: self._land(id, done))
        return task

    def _land(self, id: str, task: asyncio.Task[Kept]) -> None:
        del self._tasks[id]
        # Looked at here, in case nobody waits for it.
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectorError):
            log.error("flight broke connection=%s", id, exc_info=error)
        self._landed.set()

    async def settled(self) -> None:
        """Until none is in the air."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    # The pace.

    def give_way(self) -> None:
        """Somebody asks for a token."""
        self._asked_at = self._clock.ticks()

    @property
    def most_to_claim(self) -> int:
        at_once, at_a_time = self._bounds()
        return min(at_once - len(self._tasks), at_a_time)

    def _bounds(self) -> tuple[int, int]:
        """How many may be in the air, and how many depart together."""
        if self._clock.ticks() - self._asked_at < LATELY:
            return min(self._pace, FEW), FEW_AT_A_TIME
        return self._pace, AT_A_TIME

    def slow_down(self) -> None:
        self._pace = 1

    def quicken(self) -> None:
        """One more for each that came back."""
        self._pace = min(self._pace + 1, self._most)

    async def until_there_is_room(self) -> None:
        """For a good few at once: one claim for each that lands would double the store's work."""
        at_once, at_a_time = self._bounds()
        while self._tasks and at_once - len(self._tasks) < min(self._pace / 4, at_a_time):
            self._landed.clear()
            await self._landed.wait()
