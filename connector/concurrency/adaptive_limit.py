"""Limits the number of background tasks that run concurrently.

The limit drops to one if TikTok is unreachable or asks for fewer calls. Then the limit grows by one with
each task that completes, so the limit doubles with each round. While foreground requests arrive, a lower
limit leaves capacity for these requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.clock import Clock

BATCH_SIZE = 32
"""Small batches spread the responses. Hundreds of tasks that start together made the event loop alternate
between bursts and idle time, and halved the throughput."""

LIMIT_DURING_READS, BATCH_DURING_READS = 64, 8
"""Enough to refresh a million connections of two hours each, and too few to slow down reads."""

FOREGROUND_WINDOW_SECONDS = 1.0


class AdaptiveLimit:
    def __init__(self, maximum: int, *, running: Callable[[], int], clock: Clock) -> None:
        """`running` returns the number of tasks that run now."""
        self._maximum = maximum
        self._limit = maximum
        self._running = running
        self._clock = clock
        self._task_finished = asyncio.Event()
        self._last_foreground_request = -FOREGROUND_WINDOW_SECONDS

    def note_foreground_request(self) -> None:
        self._last_foreground_request = self._clock.ticks()

    def has_foreground_requests(self) -> bool:
        """Returns True for a second after each foreground request."""
        return self._clock.ticks() - self._last_foreground_request < FOREGROUND_WINDOW_SECONDS

    @property
    def batch_size(self) -> int:
        """The number of tasks that may be started now. Zero or less means none."""
        limit, batch = self._current_limits()
        return min(limit - self._running(), batch)

    def reset_to_one(self) -> None:
        self._limit = 1

    def record_completion(self) -> None:
        self._limit = min(self._limit + 1, self._maximum)

    def note_task_finished(self) -> None:
        self._task_finished.set()

    async def wait_for_capacity(self) -> None:
        """Waits until several tasks may start, because one store call per finished task would double the
        work of the store."""
        limit, batch = self._current_limits()
        while self._running() and limit - self._running() < min(self._limit / 4, batch):
            self._task_finished.clear()
            await self._task_finished.wait()

    def _current_limits(self) -> tuple[int, int]:
        """Returns the limit and the size of one batch."""
        if self.has_foreground_requests():
            return min(self._limit, LIMIT_DURING_READS), BATCH_DURING_READS
        return self._limit, BATCH_SIZE
