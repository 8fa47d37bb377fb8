"""A few connections, three workers at breakpoints, and the rules that must always hold for them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from connector import schedule
from connector.errors import ConnectorError
from connector.model import Connection, Tokens
from tiktok_simulator import Grant, TokenRegistry

from .breakpoints import Breakpoints, Worker
from .harness import Replica, TokenHarness, open_harness

MEMORY_FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None
WORKERS = CONNECTIONS = 3
THREE_HOURS = 3 * 3600


class Lineage:
    """The position of tokens: the number of the consent, and the number of refreshes after the consent."""

    def __init__(self, token_registry: TokenRegistry) -> None:
        self._token_registry = token_registry
        self._first_tokens: list[str] = []

    def add_consent(self, tokens: Tokens) -> None:
        self._first_tokens.append(_refresh_token(tokens))

    def grant(self, tokens: Tokens) -> Grant:
        return self._token_registry._refresh_tokens[_refresh_token(tokens)].issued.grant

    def is_newest(self, tokens: Tokens) -> bool:
        return self._token_registry._refresh_tokens[_refresh_token(tokens)].successor is None

    def position(self, tokens: Tokens) -> tuple[int, int]:
        grants = [
            id(self._token_registry._refresh_tokens[token].issued.grant)
            for token in self._first_tokens
        ]
        consent = grants.index(id(self.grant(tokens)))
        token, refreshes = self._first_tokens[consent], 0
        while token != _refresh_token(tokens):
            successor = self._token_registry._refresh_tokens[token].successor
            assert successor is not None
            token, refreshes = str(successor.refresh_token), refreshes + 1
        return consent, refreshes


def _refresh_token(tokens: Tokens) -> str:
    assert tokens.refresh is not None
    return tokens.refresh.get_secret_value()


class Interleaving:
    harness: TokenHarness
    observer: Replica
    breakpoints: Breakpoints
    lineage: Lineage

    def __init__(self) -> None:
        self.connection_ids: list[str] = []
        self.workers: dict[int, Worker] = {}
        self.counts: Counter[str] = Counter()
        self._exit_stack = AsyncExitStack()
        self._newest: dict[str, tuple[int, tuple[int, int]]] = {}
        self._unexpected_errors: list[Exception] = []

    async def open(self) -> None:
        path = self._exit_stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY_FOLDER))
        self.harness = await self._exit_stack.enter_async_context(open_harness(Path(path)))
        self.observer = await self.harness.start_replica()
        registry = self.harness.simulator_state.tokens
        self.breakpoints = Breakpoints(registry, self.observer)
        self.lineage = Lineage(registry)
        self.connection_ids += [await self.connect(number) for number in range(CONNECTIONS)]
        await self.start_missing_workers()

    async def close(self) -> None:
        self.resume_all()
        self.end_store_faults()
        for number in list(self.workers):
            await self.kill(number)
        await self._exit_stack.aclose()

    # Events

    async def read(self, worker: int, connection: int) -> None:
        await self._start(worker, self._read(self.workers[worker], self.connection_ids[connection]))

    async def refresh(self, worker: int, connection: int) -> None:
        replica = self.workers[worker].replica
        await self._start(worker, replica.refresh(self.connection_ids[connection]))

    async def refresh_in_all(self, connection: int) -> None:
        for worker in self.workers:
            await self.refresh(worker, connection)

    async def run_batch_in_all(self) -> None:
        for number, worker in self.workers.items():
            if not worker.is_running_batch:
                worker.is_running_batch = True
                await self._start(number, self._run_batch(worker))

    async def disconnect(self, worker: int, connection: int) -> None:
        replica = self.workers[worker].replica
        await self._start(worker, replica.disconnect(self.connection_ids[connection]))

    async def connect(self, number: int) -> str:
        """A fault is meant for a refresh, so it waits until the person has connected."""
        faults = self.harness.simulator_state.faults
        pending, faults._pending = faults._pending, []
        connection_id = await self.harness.connect_person(self.observer, number)
        faults._pending = pending
        self.lineage.add_consent(await self.observer.tokens(connection_id))
        return connection_id

    async def revoke_at_tiktok(self, number: int) -> None:
        await self.harness.simulator.post("/_sim/revoke", {"person": f"person {number}"})

    async def advance_worker(self, number: int, *, choice: int, steps: int) -> None:
        for _ in range(steps):
            points = [
                point for point in self.breakpoints.releasable() if point.worker.number == number
            ]
            if not points:
                return
            await self.breakpoints.release(points[choice % len(points)])

    async def kill(self, number: int) -> None:
        self.counts["kills"] += 1
        await self.workers.pop(number).kill()
        await self.breakpoints.wait_until_quiet()

    async def start_missing_workers(self) -> None:
        for number in set(range(WORKERS)) - self.workers.keys():
            worker = Worker(number, self.breakpoints, await self.harness.start_replica())
            worker.install_breakpoints()
            self.workers[number] = worker

    async def pass_time(self, seconds: float) -> None:
        """Calls have a deadline, so only a stopped worker is still in a call when the time has passed."""
        await self.breakpoints.release_all()
        self.harness.clock.advance(seconds)
        await self.breakpoints.wait_until_quiet()

    def resume_all(self) -> None:
        for worker in self.workers.values():
            worker.is_stopped = False

    def end_store_faults(self) -> None:
        for worker in self.workers.values():
            worker.replica.database.faults.clear()

    async def _start(self, worker: int, work: Awaitable[object]) -> None:
        self.workers[worker].start(self._expecting_errors(work))
        await self.breakpoints.wait_until_quiet()

    async def _expecting_errors(self, work: Awaitable[object]) -> None:
        try:
            await work
        except ConnectorError:
            pass
        except Exception as error:
            self._unexpected_errors.append(error)

    async def _read(self, worker: Worker, connection_id: str) -> None:
        tokens = (await worker.replica.read(connection_id)).tokens
        is_unexpired = schedule.is_unexpired(tokens, self.harness.clock.now())
        self.breakpoints.check(is_unexpired, violation="a read returned an expired token")
        is_accepted = not self.lineage.grant(tokens).is_active or self.harness.is_accepted(tokens)
        self.breakpoints.check(is_accepted, violation="a read returned a token TikTok rejects")

    async def _run_batch(self, worker: Worker) -> None:
        try:
            await worker.replica.background.run_batch()
        finally:
            worker.is_running_batch = False

    # Rules

    async def check(self) -> None:
        if self._unexpected_errors:
            raise self._unexpected_errors[0]
        assert not self.breakpoints.violations, self.breakpoints.violations
        for connection_id in self.connection_ids:
            stored = await self.observer.stored(connection_id)
            if stored.encrypted_tokens is None:
                continue
            tokens = await self.observer.tokens(connection_id)
            current = (stored.token_version, self.lineage.position(tokens))
            version, position = self._newest.get(connection_id, current)
            assert version <= current[0], "a version went backwards"
            assert position <= current[1], "older tokens overwrote newer tokens"
            self._newest[connection_id] = current
            assert stored.status != "reconnect_required" or self._may_have_ended(tokens)

    def _may_have_ended(self, tokens: Tokens) -> bool:
        """True if the grant was revoked, a response was lost, or a stopped or dead worker has newer tokens."""
        return self._has_ended(tokens) or not self.lineage.is_newest(tokens)

    def _has_ended(self, tokens: Tokens) -> bool:
        grant = self.lineage.grant(tokens)
        return not grant.is_active or id(grant) in self.breakpoints.lost_grants

    async def finish(self) -> None:
        """Continues all workers, and checks that no connection was lost that could be saved."""
        self.harness.end_faults()
        self.resume_all()
        self.end_store_faults()
        await self.start_missing_workers()
        for _ in range(3):
            await self.pass_time(THREE_HOURS)
            await self.run_batch_in_all()
            await self.breakpoints.release_all()
        await self.check()
        for connection_id in self.connection_ids:
            await self._check_final_state(await self.observer.connection(connection_id))
        self.counts.update(Counter(row["result"] for row in self.harness.rows("attempts")))
        self.counts.update(self.harness.simulator_state.call_log.counts)
        self.counts["lost grants"] += len(self.breakpoints.lost_grants)

    async def _check_final_state(self, connection: Connection) -> None:
        if connection.status == "revoked":
            assert (await self.observer.stored(connection.id)).encrypted_tokens is None
            return
        tokens = await self.observer.tokens(connection.id)
        if self._has_ended(tokens):
            assert connection.status == "reconnect_required"
        else:
            state = f"{connection.status} {connection.last_failure}"
            assert connection.status == "active", f"lost connection: {state}"
            assert self.lineage.is_newest(tokens)
            assert self.harness.is_accepted(tokens)
