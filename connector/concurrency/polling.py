"""Repeats an attempt with a growing pause until a deadline, and sleeps until an event."""

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
        if wake is None:
            await clock.sleep(pause)
        else:
            await sleep_until(wake, clock=clock, max_seconds=pause)
            wake.clear()
        pause = min(pause * 2, max_pause)


async def sleep_until(event: asyncio.Event, *, clock: Clock, max_seconds: float) -> None:
    """Sleeps until the event is set, but no longer than `max_seconds`."""
    async with (
        scoped_task(clock.sleep(max_seconds)) as sleeping,
        scoped_task(event.wait()) as waiting,
    ):
        await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
