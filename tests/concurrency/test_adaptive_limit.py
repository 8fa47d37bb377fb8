"""The number of background tasks is limited after an outage and during foreground requests."""

from __future__ import annotations

import asyncio

import pytest

from connector.concurrency import AdaptiveLimit
from connector.concurrency.adaptive_limit import (
    BATCH_DURING_READS,
    BATCH_SIZE,
    FOREGROUND_WINDOW_SECONDS,
    LIMIT_DURING_READS,
)
from tests.manual_clock import ManualClock

MAXIMUM = 256


class Tasks:
    running = 0


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def limit(tasks: Tasks, clock: ManualClock) -> AdaptiveLimit:
    return AdaptiveLimit(MAXIMUM, running=lambda: tasks.running, clock=clock)


def test_a_batch_is_never_larger_than_the_batch_size(limit: AdaptiveLimit, tasks: Tasks) -> None:
    assert limit.batch_size == BATCH_SIZE
    tasks.running = MAXIMUM - 3
    assert limit.batch_size == 3
    tasks.running = MAXIMUM
    assert limit.batch_size == 0


def test_after_a_reset_the_limit_grows_by_one_with_each_completed_task(
    limit: AdaptiveLimit,
) -> None:
    limit.reset_to_one()
    assert limit.batch_size == 1
    for expected in (2, 3, 4):
        limit.record_completion()
        assert limit.batch_size == expected


def test_the_limit_never_grows_beyond_its_maximum(limit: AdaptiveLimit, tasks: Tasks) -> None:
    limit.record_completion()
    tasks.running = MAXIMUM
    assert limit.batch_size == 0


def test_a_foreground_request_lowers_the_limit_for_a_short_time(
    limit: AdaptiveLimit, tasks: Tasks, clock: ManualClock
) -> None:
    limit.note_foreground_request()
    assert limit.batch_size == BATCH_DURING_READS
    tasks.running = LIMIT_DURING_READS
    assert limit.batch_size == 0
    clock.advance(FOREGROUND_WINDOW_SECONDS)
    assert limit.batch_size == BATCH_SIZE


async def test_waiting_for_capacity_ends_when_several_tasks_may_start(
    limit: AdaptiveLimit, tasks: Tasks
) -> None:
    tasks.running = MAXIMUM
    waiting = asyncio.create_task(limit.wait_for_capacity())
    for free in (1, BATCH_SIZE - 1):
        tasks.running = MAXIMUM - free
        limit.note_task_finished()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    tasks.running = MAXIMUM - BATCH_SIZE
    limit.note_task_finished()
    await waiting


async def test_waiting_for_capacity_ends_immediately_if_no_task_runs(limit: AdaptiveLimit) -> None:
    limit.reset_to_one()
    await limit.wait_for_capacity()
