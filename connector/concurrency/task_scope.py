"""Runs a task that ends before its block ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

R = TypeVar("R")


@asynccontextmanager
async def scoped_task(work: Coroutine[Any, Any, R]) -> AsyncIterator[asyncio.Task[R]]:
    """Starts a task. On exit the task is cancelled if it still runs, and awaited."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not task.cancelled():
            task.exception()  # Reading the exception marks the error as handled.
