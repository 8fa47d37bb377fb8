"""A task ends at the latest with the block that started the task."""

from __future__ import annotations

import asyncio

import pytest

from connector.concurrency import scoped_task


async def test_a_task_that_still_runs_at_the_end_of_its_block_is_cancelled_and_awaited() -> None:
    async with scoped_task(asyncio.Event().wait()) as task:
        await asyncio.sleep(0)
    assert task.cancelled()


async def test_the_result_of_a_task_can_be_awaited_in_its_block() -> None:
    async def work() -> int:
        return 7

    async with scoped_task(work()) as task:
        assert await task == 7


async def test_an_error_in_the_block_ends_the_task_and_is_raised() -> None:
    with pytest.raises(ValueError, match="error in the block"):
        async with scoped_task(asyncio.Event().wait()) as task:
            raise ValueError("error in the block")
    assert task.cancelled()
