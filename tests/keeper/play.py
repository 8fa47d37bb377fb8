"""A few connections, three workers on a stage, and what must always hold of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from connector import schedule
from connector.errors import ConnectorError
from connector.model import Connection, Tokens
from connector.simulator.ledger import Ledger
from connector.simulator.nouns import Grant

from .scene import Replica, Scene, opened
from .stage import Stage, Worker

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
WORKERS = CONNECTIONS = 3
LONG = 3 * 3600


class Lineage:
    """Where a pair of tokens stands: of which consent it is, and how many refreshes after it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._first: list[str] = []

    def begins(self, tokens: Tokens) -> None:
        self._first.append(_refresh(tokens))

    def grant(self, tokens: Tokens) -> Grant:
        return self._ledger._refresh[_refresh(tokens)].issued.grant

    def is_newest(self, tokens: Tokens) -> bool:
        return self._ledger._refresh[_refresh(tokens)].successor is None

    def place(self, tokens: Tokens) -> tuple[int, int]:
        grants = [id(self._ledger._refresh[token].issued.grant) for token in self._first]
        consent = grants.index(id(self.grant(tokens)))
        token, refreshes = self._first[consent], 0
        while token != _refresh(tokens):
            after = self._ledger._refresh[token].successor
            assert after is not None
            token, refreshes = str(after.refresh), refreshes + 1
        return consent, refreshes


def _refresh(tokens: Tokens) -> str:
    assert tokens.refresh is not None
    return tokens.refresh.get_secret_value()


class Play:
    scene: Scene
    office: Replica
    stage: Stage
    lineage: Lineage

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.workers: dict[int, Worker] = {}
        self.counted: Counter[str] = Counter()
        self._leaving = AsyncExitStack()
        self._newest: dict[str, tuple[int, tuple[int, int]]] = {}
        self._errors: list[Exception] = []

    async def open(self) -> None:
        path = self._leaving.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        self.scene = await self._leaving.enter_async_context(opened(Path(path)))
        self.office = await self.scene.replica()
        self.stage = Stage(self.scene.world.ledger, self.office)
        self.lineage = Lineage(self.scene.world.ledger)
        self.ids += [await self.connect(number) for number in range(CONNECTIONS)]
        await self.start_all()

    async def close(self) -> None:
        self.wake_all()
        self.mend_all()
        for by in list(self.workers):
            await self.kill(by)
        await self._leaving.aclose()

    # What may happen.

    async def read(self, by: int, of: int) -> None:
        await self._begin(by, self._read(self.workers[by], self.ids[of]))

    async def refresh(self, by: int, of: int) -> None:
        await self._begin(by, self.workers[by].replica.force(self.ids[of]))

    async def refresh_by_all(self, of: int) -> None:
        for by in self.workers:
            await self.refresh(by, of)

    async def tend_by_all(self) -> None:
        for by, each in self.workers.items():
            if not each.is_tending:
                each.is_tending = True
                await self._begin(by, self._tend(each))

    async def disconnect(self, by: int, of: int) -> None:
        connections = self.workers[by].replica.house.connections
        await self._begin(by, connections.disconnect(self.ids[of], of=None, who="user"))

    async def connect(self, number: int) -> str:
        faults = self.scene.world.faults
        meant_for_refreshes, faults._waiting = faults._waiting, []
        id = await self.scene.join(self.office, number)
        faults._waiting = meant_for_refreshes
        self.lineage.begins(await self.office.tokens(id))
        return id

    async def take_back(self, number: int) -> None:
        await self.scene.simulator.post("/_sim/revoke", {"person": f"person {number}"})

    async def go_on(self, by: int, which: int, far: int) -> None:
        for _ in range(far):
            ready = [point for point in self.stage.ready() if point.worker.number == by]
            if not ready:
                return
            await self.stage.let_go(ready[which % len(ready)])

    async def kill(self, by: int) -> None:
        self.counted["kills"] += 1
        await self.workers.pop(by).die()
        await self.stage.settle()

    async def start_all(self) -> None:
        for number in set(range(WORKERS)) - self.workers.keys():
            started = Worker(number, self.stage, await self.scene.replica())
            started.set()
            self.workers[number] = started

    async def let_pass(self, seconds: float) -> None:
        """Calls have a deadline, so only who is stopped is still at one when the time is over."""
        await self.stage.drain()
        self.scene.clock.turn(seconds)
        await self.stage.settle()

    def wake_all(self) -> None:
        for each in self.workers.values():
            each.is_stopped = False

    def mend_all(self) -> None:
        for each in self.workers.values():
            each.replica.database.fails.clear()

    async def _begin(self, by: int, work: Awaitable[object]) -> None:
        self.workers[by].begin(self._quietly(work))
        await self.stage.settle()

    async def _quietly(self, work: Awaitable[object]) -> None:
        try:
            await work
        except ConnectorError:
            pass
        except Exception as error:
            self._errors.append(error)

    async def _read(self, reader: Worker, id: str) -> None:
        tokens = (await reader.replica.read(id)).tokens
        alive = schedule.is_alive(tokens, self.scene.clock.now())
        self.stage.expect(alive, "a dead token was served")
        works = not self.lineage.grant(tokens).alive or self.scene.works(tokens)
        self.stage.expect(works, "a token that does not work was served")

    async def _tend(self, tending: Worker) -> None:
        try:
            await tending.replica.keeper.tend()
        finally:
            tending.is_tending = False

    # What must hold.

    async def check(self) -> None:
        if self._errors:
            raise self._errors[0]
        assert not self.stage.broken, self.stage.broken
        for id in self.ids:
            kept = await self.office.kept(id)
            if kept.sealed is None:
                continue
            tokens = await self.office.tokens(id)
            place = (kept.version, self.lineage.place(tokens))
            version, lineage = self._newest.get(id, place)
            assert version <= place[0], "a version went backwards"
            assert lineage <= place[1], "an older pair over a newer"
            self._newest[id] = place
            assert kept.status != "reconnect_required" or self._may_have_ended(tokens)

    def _may_have_ended(self, tokens: Tokens) -> bool:
        """Taken back, lost on the wire, or newer tokens are with somebody who is not here now."""
        return self._is_over(tokens) or not self.lineage.is_newest(tokens)

    def _is_over(self, tokens: Tokens) -> bool:
        grant = self.lineage.grant(tokens)
        return not grant.alive or id(grant) in self.stage.lost

    async def finish(self) -> None:
        """Everybody comes back, and what could be kept has been."""
        self.scene.let_go()
        self.wake_all()
        self.mend_all()
        await self.start_all()
        for _ in range(3):
            await self.let_pass(LONG)
            await self.tend_by_all()
            await self.stage.drain()
        await self.check()
        for id in self.ids:
            await self._ended_well(await self.office.shown(id))
        self.counted.update(Counter(row["verdict"] for row in self.scene.rows("attempts")))
        self.counted.update(self.scene.world.record.counts)
        self.counted["lost on the wire"] += len(self.stage.lost)

    async def _ended_well(self, shown: Connection) -> None:
        if shown.status == "revoked":
            assert (await self.office.kept(shown.id)).sealed is None
            return
        tokens = await self.office.tokens(shown.id)
        if self._is_over(tokens):
            assert shown.status == "reconnect_required"
        else:
            assert shown.status == "active", f"lost: {shown.status} {shown.failure}"
            assert self.lineage.is_newest(tokens)
            assert self.scene.works(tokens)
