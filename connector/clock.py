"""The only source of time, so that a test sets one clock for the whole service."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def database_time(self) -> datetime | None:
        """The time for database operations on which replicas must agree.

        None uses the database's own clock: a replica whose clock is wrong cannot break a lease.
        """
        return None

    def ticks(self) -> float:
        """Seconds of a monotonic clock, for measuring durations only."""
        # CLOCK_BOOTTIME also counts the time during which the machine is suspended.
        return time.clock_gettime(BOOT_CLOCK) if BOOT_CLOCK is not None else time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
