"""Workers that stop wherever something outside them happens, and go on when they are told.

Every call to the store, the journal and TikTok has a point before it, or after it, or both. Between
two points nothing that another worker could see is done, so to let one at a time go on from its
point is to try every order there is, and to kill a worker at a point is to kill it anywhere. The
parts are the real ones: these only wait in front of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs

from connector.journal import Entry, Journal
from connector.model import Kept, Sealed
from connector.simulator.ledger import Ledger
from connector.transport import Transport
from connector.wire import Request, Response

from .scene import Flaky, Replica, Rows

T = TypeVar("T")
QUIET = 25
STAGED = ("claim_refresh", "claim_due", "save_outcomes", "begin_revoke")


@dataclass(eq=False)
class Point:
    worker: Worker
    name: str
    go_on: asyncio.Future[None]
    refresh: str | None = None
    """The refresh token of the call that is under way here."""
    was_stopped: bool = False


class Stage:
    def __init__(self, ledger: Ledger, onlooker: Replica) -> None:
        """The onlooker sees the store as it is, whatever it is to the workers."""
        self.ledger = ledger
        self.onlooker = onlooker
        self.waiting: list[Point] = []
        self.broken: list[str] = []
        self.story: deque[str] = deque(maxlen=80)
        """Who went on from where, for whoever has to find out what happened."""
        self.lost: set[int] = set()
        """Grants whose newest pair nobody has: the answer was cut, or died with who received it."""
        self._busy = 0
        self._idle = asyncio.Event()

    @contextmanager
    def _working(self) -> Any:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._idle.set()

    def refresh_token(self, kept: Kept, sealed: Sealed) -> str:
        tokens = self.onlooker.house.seal.open(sealed, bound_to=kept.bond)
        assert tokens.refresh is not None
        return tokens.refresh.get_secret_value()

    def expect(self, holds: bool, otherwise: str) -> None:
        """Said to the test, not raised: whoever asked would take it for a failure of their own."""
        if not holds:
            self.broken.append(otherwise)

    async def real(self, work: Coroutine[Any, Any, T]) -> T:
        with self._working():
            return await work

    async def wait(self, worker: Worker, name: str, *, refresh: str | None = None) -> bool:
        """True if it was stopped there, so that any time may have passed."""
        go_on = asyncio.get_running_loop().create_future()
        point = Point(worker, name, go_on, refresh, was_stopped=worker.is_stopped)
        self.waiting.append(point)
        try:
            await point.go_on
        finally:
            self.waiting.remove(point)
        return point.was_stopped

    def stop(self, worker: Worker) -> None:
        worker.is_stopped = True
        for point in self.waiting:
            point.was_stopped |= point.worker is worker

    def ready(self) -> list[Point]:
        """In an order that does not hang on how fast a disk or a socket was."""
        ready = [point for point in self.waiting if not point.worker.is_stopped]
        return sorted(ready, key=lambda point: (point.worker.number, point.name))

    async def let_go(self, point: Point) -> None:
        self.story.append(f"{point.worker.number} {point.name} {(point.refresh or '')[4:10]}")
        point.go_on.set_result(None)
        await self.settle()

    async def drain(self) -> None:
        while ready := self.ready():
            await self.let_go(ready[0])

    async def settle(self) -> None:
        """Until everybody is at a point, asleep, or waiting for somebody who is."""
        quiet = 0
        while quiet < QUIET:
            if self._busy:
                self._idle.clear()
                await self._idle.wait()
                quiet = 0
            await asyncio.sleep(0)
            quiet += 1


@dataclass(eq=False)
class Worker:
    number: int
    stage: Stage
    replica: Replica
    is_stopped: bool = False
    is_tending: bool = False
    in_hand: dict[str, str] = field(default_factory=dict)
    """By the refresh token that was spent: the one that came for it, not yet in the journal."""
    dead_when_claimed: set[str] = field(default_factory=set)
    """Whose newer ones are lost, or with somebody who was not here to save them."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def set(self) -> None:
        """Onto the stage, once it has started."""
        replica, errands = self.replica, self.replica.keeper._errands
        errands._chance = Random(self.number)
        replica.store._database = StagedDatabase(self, replica.database)
        errands._transport = StagedTransport(self)
        errands._journal = cast(Journal, StagedJournal(self, errands._journal))

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def die(self) -> None:
        self.stage.story.append(f"{self.number} is killed, in hand: {list(self.in_hand)}")
        for spent in self.in_hand:
            self.stage.lost.add(id(self.stage.ledger._refresh[spent].issued.grant))
        await self.replica.dies()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.replica.keeper._errands._transport.close()


class StagedDatabase:
    def __init__(self, worker: Worker, real: Flaky) -> None:
        self.name = real.name
        self._worker = worker
        self._real = real

    async def open(self) -> None:
        await self._real.open()

    async def call(self, operation: str, **arguments: Any) -> Rows:
        if operation not in STAGED:
            return await self._real.call(operation, **arguments)
        stage = self._worker.stage
        await stage.wait(self._worker, f"before {operation}")
        try:
            rows = await stage.real(self._real.call(operation, **arguments))
            if operation.startswith("claim"):
                self._look_at(rows)
            return rows
        finally:
            await stage.wait(self._worker, f"after {operation}")

    def _look_at(self, claimed: Rows) -> None:
        for kept in map(Kept.model_validate, claimed):
            assert kept.sealed is not None
            token = self._worker.stage.refresh_token(kept, kept.sealed)
            if self._worker.stage.ledger._refresh[token].rotated_at is not None:
                self._worker.dead_when_claimed.add(token)

    async def close(self) -> None:
        await self._real.close()


class StagedTransport(Transport):
    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.replica.house.clock)
        self._worker = worker

    async def send(self, request: Request) -> Response:
        stage = self._worker.stage
        spent = _refresh_token(request)
        was_stopped = await stage.wait(self._worker, "sending", refresh=spent)
        if spent is None:
            return await stage.real(super().send(request))
        rotated = stage.ledger._refresh[spent].rotated_at
        others = [point for point in stage.waiting if point.refresh == spent]
        stage.expect(all(point.was_stopped for point in others), "two live calls at once")
        stage.expect(
            rotated is None or was_stopped or spent in self._worker.dead_when_claimed,
            "somebody else spent a refresh token under a lease that was not theirs",
        )
        try:
            response = await stage.real(super().send(request))
        except BaseException:
            if rotated is None and stage.ledger._refresh[spent].rotated_at is not None:
                stage.lost.add(id(stage.ledger._refresh[spent].issued.grant))
            raise
        held = stage.ledger._refresh[spent]
        if rotated is None and held.successor is not None:
            self._worker.in_hand[spent] = str(held.successor.refresh)
        await stage.wait(self._worker, "answered", refresh=spent)
        return response


class StagedJournal:
    def __init__(self, worker: Worker, real: Journal) -> None:
        self._worker = worker
        self._real = real

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        stage = self._worker.stage
        room = self._real.room()
        await stage.real(room.__aenter__())
        try:
            await stage.wait(self._worker, "has room")
            yield
        finally:
            await room.__aexit__(None, None, None)

    async def write(self, entry: Entry) -> int:
        stage, in_hand = self._worker.stage, self._worker.in_hand
        ticket = await stage.real(self._real.write(entry))
        kept = await stage.onlooker.kept(entry.fields["id"])
        written = stage.refresh_token(kept, entry.fields["sealed"])
        for spent in [spent for spent, new in in_hand.items() if new == written]:
            del in_hand[spent]
        await stage.wait(self._worker, "written")
        return ticket


def _refresh_token(request: Request) -> str | None:
    fields = parse_qs((request.body or b"").decode())
    return fields["refresh_token"][0] if "refresh_token" in fields else None
