"""Repeats an attempt with a growing pause until a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from connector.clock import Clock

from .task_scope import scoped_task


async def poll(
    clock: Clock,
    *,
    wait_seconds: float,
    min_pause: float,
    max_pause: float,
    wake: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Yields immediately and then after each pause, until `wait_seconds` have passed.

    Setting `wake` ends the current pause.
    """
    deadline, pause = clock.ticks() + wait_seconds, min_pause
    while True:
        yield
        if clock.ticks() >= deadline:
            return
        await _sleep(clock, pause, wake)
        pause = min(pause * 2, max_pause)


async def _sleep(clock: Clock, seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await clock.sleep(seconds)
        return
    async with scoped_task(clock.sleep(seconds)) as sleeping, scoped_task(wake.wait()) as woken:
        await asyncio.wait({sleeping, woken}, return_when=asyncio.FIRST_COMPLETED)
    wake.clear()
