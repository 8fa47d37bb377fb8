"""Callers of one key share one task, and a cancelled caller does not cancel the task."""

from __future__ import annotations

import asyncio

import pytest

from connector.concurrency import SingleFlight


class Work:
    """Counts its runs. Each run waits until the test finishes the work."""

    def __init__(self) -> None:
        self.run_count = 0
        self.finish = asyncio.Event()

    async def run(self) -> int:
        self.run_count += 1
        await self.finish.wait()
        return self.run_count

    async def fail(self) -> int:
        await self.run()
        raise ValueError("the work failed")


@pytest.fixture
def finished_tasks() -> list[tuple[str, BaseException | None]]:
    return []


@pytest.fixture
def single_flight(finished_tasks: list[tuple[str, BaseException | None]]) -> SingleFlight[str, int]:
    return SingleFlight(on_done=lambda key, error: finished_tasks.append((key, error)))


async def test_concurrent_callers_of_one_key_share_one_task(
    single_flight: SingleFlight[str, int],
) -> None:
    work = Work()
    callers = [asyncio.create_task(single_flight.run("key", work.run)) for _ in range(5)]
    await asyncio.sleep(0)
    assert "key" in single_flight
    assert len(single_flight) == 1
    work.finish.set()
    assert await asyncio.gather(*callers) == [1] * 5


async def test_callers_of_different_keys_run_different_tasks(
    single_flight: SingleFlight[str, int],
) -> None:
    work = Work()
    work.finish.set()
    await asyncio.gather(*(single_flight.run(key, work.run) for key in ("first", "second")))
    assert work.run_count == 2


async def test_a_caller_after_the_end_of_a_task_starts_a_new_one(
    single_flight: SingleFlight[str, int],
) -> None:
    work = Work()
    work.finish.set()
    assert [await single_flight.run("key", work.run) for _ in range(2)] == [1, 2]


async def test_a_task_continues_after_its_only_caller_was_cancelled(
    single_flight: SingleFlight[str, int], finished_tasks: list[tuple[str, BaseException | None]]
) -> None:
    work = Work()
    caller = asyncio.create_task(single_flight.run("key", work.run))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert "key" in single_flight
    work.finish.set()
    await single_flight.wait_until_idle()
    assert finished_tasks == [("key", None)]


async def test_the_error_of_a_task_is_raised_to_its_caller_and_reported(
    single_flight: SingleFlight[str, int], finished_tasks: list[tuple[str, BaseException | None]]
) -> None:
    work = Work()
    work.finish.set()
    with pytest.raises(ValueError, match="the work failed") as raised:
        await single_flight.run("key", work.fail)
    await single_flight.wait_until_idle()
    assert finished_tasks == [("key", raised.value)]
    assert "key" not in single_flight
