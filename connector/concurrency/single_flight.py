"""Runs one task per key: concurrent callers share the task and its result.

If a caller is cancelled, the task continues, because the task may have used a one-time token before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class SingleFlight(Generic[K, R]):
    def __init__(self, on_done: Callable[[K, BaseException | None], None]) -> None:
        """`on_done` is called after each task with the key, and with the error or None."""
        self._tasks: dict[K, asyncio.Task[R]] = {}
        self._on_done = on_done

    def __contains__(self, key: K) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, key: K, start: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Returns the result of the running task for `key`, or of a new task."""
        return await asyncio.shield(self._tasks.get(key) or self.start(key, start()))

    def start(self, key: K, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: K, task: asyncio.Task[R]) -> None:
        del self._tasks[key]
        # Reading the exception marks the error as handled, even if no caller waits for the task.
        self._on_done(key, None if task.cancelled() else task.exception())

    async def wait_until_idle(self) -> None:
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
