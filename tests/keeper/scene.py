"""Houses without a front door: replicas on one store, a TikTok, and people who connect.

All follow one clock, which the test turns. A replica's database can be told to fail, before the
work or after it, and to keep a caller waiting; underneath it is the real one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import UUID

from connector import schedule
from connector.app import House
from connector.errors import StoreUnreachable
from connector.keeper import Working
from connector.model import Connection, Intent, Kept, Tokens, UserId
from connector.simulator import World
from connector.simulator.ledger import BadToken
from connector.store import Database
from tests.clocks import TurnedClock
from tests.houses import Simulator, running_simulator, settings_for
from tests.journal.boxes import dies
from tests.people import ANNA

T = TypeVar("T")
Rows = list[dict[str, Any]]
Fault = Literal["before", "after"]

REFRESH = "/v2/oauth/token"
BACK = "https://customer.example/callback"


class Gate:
    """Holds whoever comes until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.open.wait()


class Flaky:
    """`fails` names an operation, or `*`, and when: before the work is done, or only after it."""

    def __init__(self, real: Database) -> None:
        self.name = real.name
        self.calls: Counter[str] = Counter()
        self.fails: dict[str, Fault] = {}
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self._real = real

    async def open(self) -> None:
        await self._real.open()

    async def call(self, operation: str, **arguments: Any) -> Rows:
        self.calls[operation] += 1
        if operation in self.before:
            await self.before[operation]()
        fault = self.fails.get(operation) or self.fails.get("*")
        if fault == "before":
            raise StoreUnreachable("The database is away.")
        rows = await self._real.call(operation, **arguments)
        if fault == "after":
            raise StoreUnreachable("The database's answer was lost.")
        return rows

    async def close(self) -> None:
        await self._real.close()


class Replica:
    """One process, as far as the others can tell."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keeper = house.keeper
        self.store = house.store
        self.database = Flaky(house.database)
        self.store._database = self.database
        self.is_dead = False

    async def read(self, id: str) -> Working:
        return await self.house.connections.token(id, who="server")

    async def kept(self, id: str) -> Kept:
        kept = await self.store.read_token(id)
        assert kept is not None
        return kept

    async def shown(self, id: str) -> Connection:
        shown = await self.store.connection(id)
        assert shown is not None
        return shown

    async def tokens(self, id: str) -> Tokens:
        kept = await self.kept(id)
        assert kept.sealed is not None
        return self.house.seal.open(kept.sealed, bound_to=kept.bond)

    async def force(self, id: str) -> Kept:
        return await self.keeper.refresh(await self.kept(id), who="user")

    async def tend(self) -> None:
        """All that is due, to the last landing."""
        while await self.keeper.tend():
            await self.keeper.settled()
        await self.keeper.settled()

    async def last(self, id: str) -> str:
        """The newest line of the log: what, verdict, code."""
        line = (await self.store.attempts(id))[0]
        return f"{line.what} {line.verdict} {line.code}"

    async def dies(self) -> None:
        """As by SIGKILL: what is written stays, locks go, nothing is finished."""
        self.is_dead = True
        tasks: list[asyncio.Task[Any]] = [*self.keeper._flights._tasks.values()]
        if self.keeper._saver._worker:
            tasks.append(self.keeper._saver._worker)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await dies(self.house.journal)
        await self.house.transport.close()
        await self.house.database.close()


class Scene:
    def __init__(self, simulator: Simulator, path: Path, leaving: AsyncExitStack) -> None:
        self.simulator = simulator
        self.clock = simulator.clock
        self.path = path
        self._leaving = leaving

    @property
    def world(self) -> World:
        return self.simulator.world

    async def replica(
        self, settings: Mapping[str, str] | None = None, *, fails: Mapping[str, Fault] | None = None
    ) -> Replica:
        """A new life: the journal of whoever died is taken over and replayed."""
        read = settings_for(self.path, self.simulator.url, **settings or {})
        house = House.build(read, clock=self.clock)
        replica = Replica(house)
        replica.database.fails.update(fails or {})
        await house.__aenter__()
        self._leaving.push_async_callback(self._close, replica)
        return replica

    async def _close(self, replica: Replica) -> None:
        if not replica.is_dead:
            replica.database.fails.clear()
            await self.through(replica.house.__aexit__(None, None, None))

    async def connect(
        self,
        replica: Replica,
        family: str = "login_kit",
        *,
        user_id: UserId = ANNA,
        person: str = "robin",
        **consent: Any,
    ) -> str:
        """One person through the consent page and back; again, it is a reconnect."""
        asked = {"person": person, "redirect_uri": None if family == "marketing" else BACK}
        code = await self.simulator.consent(family, **asked, **consent)
        intent = Intent(user_id, self.clock.now(), family, BACK)
        answer = await replica.house.exchange.exchange(
            code, state=uuid.uuid4().hex, intent=intent, who="user"
        )
        return str(answer["connection_id"])

    async def join(self, replica: Replica, number: int) -> str:
        """One of many people, each a user of their own; again, it is a reconnect."""
        user_id = UserId(str(UUID(int=number + 1)))
        return await self.connect(replica, person=f"person {number}", user_id=user_id)

    async def refreshes(self) -> int:
        return int((await self.simulator.stats())["refreshes"])

    async def through(self, work: Awaitable[T]) -> T:
        """To its end, the clock turned on whenever somebody sleeps."""
        task = asyncio.ensure_future(work)
        while not task.done():
            asleep = asyncio.create_task(self.clock.until_asleep())
            await asyncio.wait({task, asleep}, return_when=asyncio.FIRST_COMPLETED)
            if asleep.done():
                self.clock.turn(0.5)
            asleep.cancel()
        return await task

    async def in_the_air(self, calls: int = 1) -> None:
        """Until so many calls are under way at TikTok."""
        async with asyncio.timeout(5):
            while self.world.record.stats()["in_flight"] < calls:  # noqa: ASYNC110 - tells nobody
                await asyncio.sleep(0.001)

    def let_go(self) -> None:
        """Calls that hang are answered now."""
        self.world.faults.clear()

    def works(self, tokens: Tokens) -> bool:
        """At TikTok, at this moment."""
        try:
            self.world.ledger.access(tokens.access.get_secret_value())
        except BadToken:
            return False
        return True

    def age(self, tokens: Tokens) -> None:
        """Until the token is no longer fresh, yet still alive."""
        assert tokens.expires_at is not None
        left = tokens.expires_at - self.clock.now() - schedule.margin(tokens) / 2
        self.clock.turn(left.total_seconds())

    def expire(self, tokens: Tokens) -> None:
        assert tokens.expires_at is not None
        self.clock.turn((tokens.expires_at - self.clock.now()).total_seconds() + 1)

    def rows(self, table: str) -> Rows:
        with closing(sqlite3.connect(self.path / "connector.db")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"select * from {table}")]

    def events(self) -> list[str]:
        return [str(row["kind"]) for row in self.rows("events")]


async def crowd(scene: Scene, replica: Replica, people: int) -> list[str]:
    gate = asyncio.Semaphore(32)

    async def join(number: int) -> str:
        async with gate:
            return await scene.join(replica, number)

    return list(await asyncio.gather(*map(join, range(people))))


@asynccontextmanager
async def opened(path: Path, clock: TurnedClock | None = None) -> AsyncIterator[Scene]:
    async with running_simulator(clock) as simulator, AsyncExitStack() as leaving:
        yield Scene(simulator, path, leaving)
