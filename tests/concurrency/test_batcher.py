"""Concurrent calls are merged into one call. tests/store/test_batching.py tests the same with real databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from connector.concurrency import MAX_BATCH_SIZE, Batcher
from connector.errors import InternalError, StoreUnreachable


class Doubler:
    """Doubles numbers in batches and records the batches. Negative numbers are errors."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def execute(self, numbers: Sequence[int]) -> list[int | StoreUnreachable]:
        self.batches.append(list(numbers))
        await asyncio.sleep(0)
        if -1 in numbers:
            raise InternalError("one item of the batch is wrong")
        return [number * 2 if number >= 0 else StoreUnreachable("gone") for number in numbers]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


async def submit_all(batcher: Batcher[int, int], *numbers: int) -> list[int | BaseException]:
    submissions = (batcher.submit(number) for number in numbers)
    return await asyncio.gather(*submissions, return_exceptions=True)


async def test_items_submitted_together_share_one_batch(doubler: Doubler) -> None:
    assert await submit_all(Batcher(doubler.execute), 1, 2, 3) == [2, 4, 6]
    assert doubler.batches == [[1, 2, 3]]


async def test_a_batch_has_at_most_the_maximum_number_of_items(doubler: Doubler) -> None:
    await submit_all(Batcher(doubler.execute), *range(MAX_BATCH_SIZE + 1))
    assert [len(batch) for batch in doubler.batches] == [MAX_BATCH_SIZE, 1]


async def test_items_with_the_same_conflict_key_never_share_a_batch(doubler: Doubler) -> None:
    batcher = Batcher(doubler.execute, conflict_key=lambda number: number % 10)
    assert await submit_all(batcher, 1, 2, 11, 3) == [2, 4, 22, 6]
    assert doubler.batches == [[1, 2], [11, 3]]


async def test_an_error_of_one_item_is_raised_to_its_own_caller_only(doubler: Doubler) -> None:
    first, second, third = await submit_all(Batcher(doubler.execute), 1, -2, 3)
    assert (first, third) == (2, 6)
    assert isinstance(second, StoreUnreachable)


async def test_a_batch_that_one_item_may_have_failed_is_repeated_one_item_at_a_time(
    doubler: Doubler,
) -> None:
    batcher = Batcher(doubler.execute, retry_singly_on=(InternalError,))
    first, second, third = await submit_all(batcher, 1, -1, 3)
    assert (first, third) == (2, 6)
    assert isinstance(second, InternalError)
    assert doubler.batches == [[1, -1, 3], [1], [-1], [3]]


async def test_a_batch_that_fails_for_another_reason_fails_for_all_items(doubler: Doubler) -> None:
    results = await submit_all(Batcher(doubler.execute), 1, -1, 3)
    assert [type(result) for result in results] == [InternalError] * 3
    assert doubler.batches == [[1, -1, 3]]


async def test_a_limited_batcher_starts_no_batch_while_the_maximum_runs() -> None:
    started, release = asyncio.Event(), asyncio.Event()
    batches: list[list[int]] = []

    async def execute(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        started.set()
        await release.wait()
        return list(numbers)

    batcher = Batcher(execute, max_wait_seconds=0, max_running=1)
    first = asyncio.create_task(batcher.submit(1))
    await started.wait()
    others = [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert batches == [[1]]
    release.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3]
    assert batches == [[1], [2, 3]]


async def test_a_batch_with_too_few_results_fails_for_all_items() -> None:
    async def execute(numbers: Sequence[int]) -> list[int]:
        return list(numbers)[1:]

    results = await submit_all(Batcher(execute), 1, 2)
    assert [type(result) for result in results] == [ValueError] * 2
