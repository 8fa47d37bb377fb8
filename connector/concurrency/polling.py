"""Repeats an attempt with a growing pause until a deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connector.clock import Clock


async def poll(
    clock: Clock, *, wait_seconds: float, min_pause: float, max_pause: float
) -> AsyncIterator[None]:
    """Yields immediately and then after each pause, until `wait_seconds` have passed."""
    deadline, pause = clock.ticks() + wait_seconds, min_pause
    while True:
        yield
        if clock.ticks() >= deadline:
            return
        await clock.sleep(pause)
        pause = min(pause * 2, max_pause)
