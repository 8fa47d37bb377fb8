"""A database whose calls a test can pause, so that concurrent calls wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from connector.store import Database


class PausableDatabase:
    """A real database. It records how many items each call has, and a test can pause its calls."""

    name = "pausable"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calls: list[tuple[str, int]] = []
        self._call_arrived = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        self._calls += [(operation, len(v)) for v in arguments.values() if isinstance(v, list)]
        self._call_arrived.set()
        await self._running.wait()
        return await self._database.call(operation, **arguments)

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    async def wait_for_calls(self, operation: str, count: int) -> None:
        while len(self.batch_sizes(operation)) < count:
            self._call_arrived.clear()
            await self._call_arrived.wait()

    def batch_sizes(self, operation: str) -> list[int]:
        return [size for name, size in self._calls if name == operation]


async def run_together(
    pausable: PausableDatabase, calls: list[Coroutine[Any, Any, Any]]
) -> list[Any]:
    pausable.pause()
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0)
    pausable.resume()
    return await asyncio.gather(*tasks, return_exceptions=True)
