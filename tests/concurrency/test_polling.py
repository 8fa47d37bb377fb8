"""Attempts are repeated with a growing pause until a deadline."""

from __future__ import annotations

import asyncio

from connector.concurrency import poll
from tests.manual_clock import ManualClock


async def attempt_times(clock: ManualClock, wait_seconds: float) -> list[float]:
    attempts = poll(clock, wait_seconds=wait_seconds, min_pause=1, max_pause=4)
    return [clock.ticks() async for _ in attempts]


async def test_the_pause_between_two_attempts_doubles_up_to_its_maximum() -> None:
    clock = ManualClock()
    polling = asyncio.create_task(attempt_times(clock, 11))
    for pause in (1, 2, 4, 4):
        await clock.until_asleep()
        clock.advance(pause)
    assert await polling == [0, 1, 3, 7, 11]


async def test_one_attempt_is_made_if_no_time_is_left() -> None:
    assert await attempt_times(ManualClock(), 0) == [0]


async def test_setting_the_wake_event_ends_a_pause_early() -> None:
    clock, wake = ManualClock(), asyncio.Event()

    async def two_attempts() -> int:
        attempts = 0
        async for _ in poll(clock, wait_seconds=10, min_pause=5, max_pause=5, wake=wake):
            attempts += 1
            if attempts == 2:
                break
        return attempts

    polling = asyncio.create_task(two_attempts())
    await clock.until_asleep()
    wake.set()
    assert await polling == 2
    assert clock.ticks() == 0
