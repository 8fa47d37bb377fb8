"""Calls that share the way to the store: while one is under way, the next ones gather.

A quiet service calls for each at once; a busy one calls seldom, for many, and what a call costs is
divided among them. Each gets its own answer, and nobody waits long for those before them. What is
wrong with one must not be told to the others: where the store undid a call for many because of one
of them, each goes again alone; where one answer of many cannot be used, it fails for that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from typing import Generic, TypeVar

from connector.errors import Broken, ConnectorError, Misconfigured

from .refusals import Undone

G = TypeVar("G")
T = TypeVar("T")

PATIENCE = 0.01
MOST = 50


class Together(Generic[G, T]):
    def __init__(
        self,
        bring: Callable[[Sequence[G]], Awaitable[Sequence[T | ConnectorError]]],
        *,
        apart: Callable[[G], Hashable] | None = None,
    ) -> None:
        """`bring` answers in the order it was given. Two that `apart` finds equal never go together."""
        self._bring = bring
        self._apart = apart
        self._under_way = 0
        self._waiting: list[tuple[G, asyncio.Future[T]]] = []
        self._departure: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, given: G) -> T:
        home: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            # Even where nobody is under way: who comes in this turn of the loop comes along.
            self._depart_in(PATIENCE if self._under_way else 0)
        self._waiting.append((given, home))
        return await home

    def _home(self) -> None:
        self._under_way -= 1
        if self._waiting:
            self._depart_in(0)

    def _depart_in(self, seconds: float) -> None:
        if self._departure is not None:
            self._departure.cancel()
        self._departure = asyncio.get_running_loop().call_later(seconds, self._depart)

    def _depart(self) -> None:
        self._departure = None
        if batch := self._gathered():
            self._under_way += 1
            task = asyncio.create_task(self._go(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._waiting:
            self._depart_in(PATIENCE)

    def _gathered(self) -> list[tuple[G, asyncio.Future[T]]]:
        self._waiting = [each for each in self._waiting if not each[1].done()]
        batch = self._waiting[: self._fitting()]
        del self._waiting[: len(batch)]
        return batch

    def _fitting(self) -> int:
        """How many of those who wait may go now."""
        if self._apart is None:
            return MOST
        seen: set[Hashable] = set()
        for given, _ in self._waiting[:MOST]:
            if (mark := self._apart(given)) in seen:
                break
            seen.add(mark)
        return len(seen)

    async def _go(self, batch: list[tuple[G, asyncio.Future[T]]]) -> None:
        try:
            await self._go_together(batch)
        finally:
            self._home()

    async def _go_together(self, batch: list[tuple[G, asyncio.Future[T]]]) -> None:
        try:
            brought = await self._bring([given for given, _ in batch])
        except Exception as error:
            if len(batch) > 1 and isinstance(error, Broken | Misconfigured | Undone):
                await asyncio.gather(*(self._go_together([each]) for each in batch))
            else:
                _fail(batch, error)
        else:
            for each, one in zip(batch, brought, strict=True):
                if isinstance(one, ConnectorError):
                    _fail([each], one)
                elif not each[1].done():
                    each[1].set_result(one)


def _fail(batch: list[tuple[G, asyncio.Future[T]]], error: Exception) -> None:
    for _, home in batch:
        if not home.done():
            home.set_exception(_own(error))


def _own(error: Exception) -> Exception:
    """Whoever raises an error leaves traces on it. Only of ours is it known that they can be copied."""
    if isinstance(error, ConnectorError):
        return copy(error).with_traceback(error.__traceback__)
    return error
