"""What time it is. Nobody else asks, so a test turns one clock and the whole house follows."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def ticks(self) -> float:
        """Seconds for measuring how long something took; unrelated to the time of day."""
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
