"""Merges concurrent calls into one: while one call runs, the next items are collected.

An idle service makes one call for each item. A busy service makes fewer calls with many items, and the
items share the cost of a call. Each caller gets the result of its own item, and waits for a batch no longer
than `max_wait_seconds`. If one item may have caused an error, the batch is repeated one item at a time,
because the error must not fail the other items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Generic, TypeVar

from connector.errors import ConnectorError

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

MAX_WAIT_SECONDS = 0.01
MAX_BATCH_SIZE = 50


@dataclass
class _Submission(Generic[I, R]):
    item: I
    result: asyncio.Future[R]


class Batcher(Generic[I, R]):
    def __init__(
        self,
        execute: Callable[[Sequence[I]], Awaitable[Sequence[R | ConnectorError]]],
        *,
        conflict_key: Callable[[I], Hashable] | None = None,
        retry_singly_on: tuple[type[Exception], ...] = (),
        max_size: int = MAX_BATCH_SIZE,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        max_running: int | None = None,
    ) -> None:
        """`execute` returns one result per item, in order. Items with equal keys never share a batch."""
        self._execute = execute
        self._conflict_key = conflict_key
        self._retry_singly_on = retry_singly_on
        self._max_size = max_size
        self._max_wait_seconds = max_wait_seconds
        self._max_running = max_running
        self._batches_running = 0
        self._waiting: list[_Submission[I, R]] = []
        self._dispatch_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: I) -> R:
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            # An idle batcher also waits for the end of this event loop turn: items of one turn share a call.
            self._schedule_dispatch(self._max_wait_seconds if self._batches_running else 0)
        self._waiting.append(_Submission(item, result))
        return await result

    def _schedule_dispatch(self, seconds: float) -> None:
        if self._dispatch_timer is not None:
            self._dispatch_timer.cancel()
        self._dispatch_timer = asyncio.get_running_loop().call_later(seconds, self._dispatch)

    def _dispatch(self) -> None:
        self._dispatch_timer = None
        if self._max_running is not None and self._batches_running >= self._max_running:
            return  # The end of a running batch schedules the next dispatch.
        if batch := self._take_batch():
            self._batches_running += 1
            task = asyncio.create_task(self._run_batch(batch))
            self._tasks.add(task)
            task.add_done_callback(self._on_batch_done)
        if self._waiting:
            self._schedule_dispatch(self._max_wait_seconds)

    def _on_batch_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._batches_running -= 1
        if self._waiting:
            self._schedule_dispatch(0)

    def _take_batch(self) -> list[_Submission[I, R]]:
        # If a caller was cancelled, its result is done.
        self._waiting = [waiting for waiting in self._waiting if not waiting.result.done()]
        batch = self._waiting[: self._max_size]
        if self._conflict_key is not None:
            keys: set[Hashable] = set()
            for length, submission in enumerate(batch):
                if (key := self._conflict_key(submission.item)) in keys:
                    batch = batch[:length]
                    break
                keys.add(key)
        del self._waiting[: len(batch)]
        return batch

    async def _run_batch(self, batch: list[_Submission[I, R]]) -> None:
        try:
            results = await self._execute([submission.item for submission in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception as error:
            if len(batch) > 1 and isinstance(error, self._retry_singly_on):
                await asyncio.gather(*(self._run_batch([submission]) for submission in batch))
            else:
                for submission in batch:
                    _fail(submission, error)
            return
        for submission, result in pairs:
            if isinstance(result, ConnectorError):
                _fail(submission, result)
            elif not submission.result.done():
                submission.result.set_result(result)


def _fail(submission: _Submission[I, R], error: Exception) -> None:
    if not submission.result.done():
        submission.result.set_exception(_copy_error(error))


def _copy_error(error: Exception) -> Exception:
    """Copies an error for each caller, because `raise` adds a traceback to the error.

    Only a `ConnectorError` can be copied safely.
    """
    if isinstance(error, ConnectorError):
        return copy(error).with_traceback(error.__traceback__)
    return error
