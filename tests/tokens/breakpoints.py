"""Workers that pause at breakpoints and continue when the test releases them.

Every call to the store, the journal and TikTok has a breakpoint before it, or after it, or both.
Between two breakpoints a worker does nothing that another worker could notice. Therefore releasing one
worker at a time reaches every possible order, and killing a worker at a breakpoint is as good as
killing it anywhere. The service code itself is unchanged.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs

from connector.encryption import stored_tokens_associated_data
from connector.journal import Entry, Journal
from connector.model import Ciphertext, StoredTokens
from connector.tiktok import Request, Response
from connector.tiktok_client import TikTokClient
from tiktok_simulator import TokenRegistry

from .harness import FaultyDatabase, Replica, Rows

T = TypeVar("T")
QUIET_TURNS = 25
LEASE_OPERATIONS = ("acquire_refresh_lease", "lease_due_connections")
PAUSED_OPERATIONS = (*LEASE_OPERATIONS, "apply_outcomes", "mark_disconnected")


@dataclass(eq=False)
class Breakpoint:
    worker: Worker
    name: str
    released: asyncio.Future[None]
    refresh_token: str | None = None
    """Returns the refresh token of the call that is paused at this breakpoint."""
    was_stopped: bool = False


class Breakpoints:
    def __init__(self, token_registry: TokenRegistry, observer: Replica) -> None:
        """The observer's store has no faults and no breakpoints."""
        self.token_registry = token_registry
        self.observer = observer
        self.paused: list[Breakpoint] = []
        self.violations: list[str] = []
        self.history: deque[str] = deque(maxlen=80)
        """Lists which worker continued from which breakpoint, for the message of a failed test."""
        self.lost_grants: set[int] = set()
        """Grants whose newest tokens are lost: the response was cut, or its receiver was killed."""
        self._running_io = 0
        self._io_done = asyncio.Event()

    @contextmanager
    def _counting_io(self) -> Iterator[None]:
        self._running_io += 1
        try:
            yield
        finally:
            self._running_io -= 1
            self._io_done.set()

    def decrypt_refresh_token(self, stored: StoredTokens, encrypted_tokens: Ciphertext) -> str:
        tokens = self.observer.service.cipher.decrypt_tokens(
            encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )
        assert tokens.refresh is not None
        return tokens.refresh.get_secret_value()

    def check(self, holds: bool, *, violation: str) -> None:
        """Records a violation for the test. The worker would handle a raised error as its own error."""
        if not holds:
            self.violations.append(violation)

    async def run_io(self, work: Coroutine[Any, Any, T]) -> T:
        with self._counting_io():
            return await work

    async def pause(self, worker: Worker, name: str, *, refresh_token: str | None = None) -> bool:
        """True if the worker was stopped here, so that any time may have passed."""
        released = asyncio.get_running_loop().create_future()
        point = Breakpoint(worker, name, released, refresh_token, was_stopped=worker.is_stopped)
        self.paused.append(point)
        try:
            await point.released
        finally:
            self.paused.remove(point)
        return point.was_stopped

    def stop(self, worker: Worker) -> None:
        worker.is_stopped = True
        for point in self.paused:
            point.was_stopped |= point.worker is worker

    def releasable(self) -> list[Breakpoint]:
        """Returns the breakpoints in an order that does not depend on the speed of a disk or a socket."""
        points = [point for point in self.paused if not point.worker.is_stopped]
        return sorted(points, key=lambda point: (point.worker.number, point.name))

    async def release(self, point: Breakpoint) -> None:
        token = (point.refresh_token or "")[4:10]
        self.history.append(f"{point.worker.number} {point.name} {token}")
        point.released.set_result(None)
        await self.wait_until_quiet()

    async def release_all(self) -> None:
        while points := self.releasable():
            await self.release(points[0])

    async def wait_until_quiet(self) -> None:
        """Waits until each task is at a breakpoint, sleeps, or waits for such a task."""
        quiet_turns = 0
        while quiet_turns < QUIET_TURNS:
            if self._running_io:
                self._io_done.clear()
                await self._io_done.wait()
                quiet_turns = 0
            await asyncio.sleep(0)
            quiet_turns += 1


@dataclass(eq=False)
class Worker:
    number: int
    breakpoints: Breakpoints
    replica: Replica
    is_stopped: bool = False
    is_running_batch: bool = False
    unjournaled: dict[str, str] = field(default_factory=dict)
    """Maps each used refresh token to its successor, which is not in the journal yet."""
    used_when_leased: set[str] = field(default_factory=set)
    """Refresh tokens that were used up when the lease was granted: their successors are lost, or with
    another worker that did not save them in time."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def install_breakpoints(self) -> None:
        """Enables the breakpoints after the start, which runs without breakpoints."""
        replica, operations = self.replica, self.replica.refresher._operations
        operations._random = Random(self.number)
        replica.store._database = PausingDatabase(self, replica.database)
        operations._tiktok_client = PausingTikTokClient(self)
        operations._journal = cast(Journal, PausingJournal(self, operations._journal))

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def kill(self) -> None:
        registry = self.breakpoints.token_registry
        self.breakpoints.history.append(
            f"{self.number} is killed, unjournaled: {list(self.unjournaled)}"
        )
        for used in self.unjournaled:
            grant = registry._refresh_tokens[used].issued.grant
            self.breakpoints.lost_grants.add(id(grant))
        await self.replica.kill()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.replica.refresher._operations._tiktok_client.close()


class PausingDatabase:
    def __init__(self, worker: Worker, real: FaultyDatabase) -> None:
        self.name = real.name
        self._worker = worker
        self._real = real

    async def open(self) -> None:
        await self._real.open()

    async def call(self, operation: str, **arguments: Any) -> Rows:
        if operation not in PAUSED_OPERATIONS:
            return await self._real.call(operation, **arguments)
        breakpoints = self._worker.breakpoints
        await breakpoints.pause(self._worker, f"before {operation}")
        try:
            rows = await breakpoints.run_io(self._real.call(operation, **arguments))
            if operation in LEASE_OPERATIONS:
                self._record_used_tokens(rows)
            return rows
        finally:
            await breakpoints.pause(self._worker, f"after {operation}")

    def _record_used_tokens(self, leased: Rows) -> None:
        breakpoints = self._worker.breakpoints
        for stored in map(StoredTokens.model_validate, leased):
            assert stored.encrypted_tokens is not None
            token = breakpoints.decrypt_refresh_token(stored, stored.encrypted_tokens)
            if breakpoints.token_registry._refresh_tokens[token].rotated_at is not None:
                self._worker.used_when_leased.add(token)

    async def close(self) -> None:
        await self._real.close()


class PausingTikTokClient(TikTokClient):
    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.replica.service.clock)
        self._worker = worker

    async def send(self, request: Request) -> Response:
        breakpoints = self._worker.breakpoints
        refresh_token = _refresh_token(request)
        was_stopped = await breakpoints.pause(self._worker, "sending", refresh_token=refresh_token)
        if refresh_token is None:
            return await breakpoints.run_io(super().send(request))
        sent = breakpoints.token_registry._refresh_tokens[refresh_token]
        was_used = sent.rotated_at is not None
        other_calls = [
            point for point in breakpoints.paused if point.refresh_token == refresh_token
        ]
        breakpoints.check(
            all(point.was_stopped for point in other_calls),
            violation="two running workers sent the same refresh token at once",
        )
        breakpoints.check(
            not was_used or was_stopped or refresh_token in self._worker.used_when_leased,
            violation="another worker used the refresh token although it did not have the lease",
        )
        try:
            response = await breakpoints.run_io(super().send(request))
        except BaseException:
            if not was_used and sent.rotated_at is not None:
                breakpoints.lost_grants.add(id(sent.issued.grant))
            raise
        if not was_used and sent.successor is not None:
            self._worker.unjournaled[refresh_token] = str(sent.successor.refresh_token)
        await breakpoints.pause(self._worker, "received", refresh_token=refresh_token)
        return response


class PausingJournal:
    def __init__(self, worker: Worker, real: Journal) -> None:
        self._worker = worker
        self._real = real

    @asynccontextmanager
    async def reserve(self) -> AsyncIterator[None]:
        breakpoints = self._worker.breakpoints
        reservation = self._real.reserve()
        await breakpoints.run_io(reservation.__aenter__())
        try:
            await breakpoints.pause(self._worker, "reserved")
            yield
        finally:
            await reservation.__aexit__(None, None, None)

    async def append(self, entry: Entry) -> int:
        breakpoints, unjournaled = self._worker.breakpoints, self._worker.unjournaled
        entry_id = await breakpoints.run_io(self._real.append(entry))
        stored = await breakpoints.observer.stored(entry.fields["connection_id"])
        journaled = breakpoints.decrypt_refresh_token(stored, entry.fields["encrypted_tokens"])
        for used in [used for used, successor in unjournaled.items() if successor == journaled]:
            del unjournaled[used]
        await breakpoints.pause(self._worker, "journaled")
        return entry_id


def _refresh_token(request: Request) -> str | None:
    fields = parse_qs((request.body or b"").decode())
    return fields["refresh_token"][0] if "refresh_token" in fields else None
