"""One task per key: concurrent callers share the task and its result.

A task is never cancelled by its callers. A caller may be cancelled; the task goes on, because the work
may have used a one-time token by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class SingleFlight(Generic[K, R]):
    def __init__(self, on_done: Callable[[K, BaseException | None], None]) -> None:
        """`on_done` is called with the key and the error, if any, when a task has ended."""
        self._tasks: dict[K, asyncio.Task[R]] = {}
        self._on_done = on_done

    def __contains__(self, key: K) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, key: K, start: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """The result of the running task for `key`, or of a new task."""
        return await asyncio.shield(self._tasks.get(key) or self.start(key, start()))

    def start(self, key: K, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = self._tasks[key] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._finish(key, done))
        return task

    def _finish(self, key: K, task: asyncio.Task[R]) -> None:
        del self._tasks[key]
        # Reading the exception here also tells asyncio that an error nobody waits for was handled.
        self._on_done(key, None if task.cancelled() else task.exception())

    async def wait_until_idle(self) -> None:
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
