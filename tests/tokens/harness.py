"""Replicas on one store, a simulated TikTok, and people who connect. There is no web layer.

Everything follows one clock, which the test advances. A test makes a replica's database fail, before
the work or after the work, or block its callers. The database itself is a real database.
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
from connector.app import Service
from connector.clock import Clock
from connector.connections import Scope
from connector.encryption import stored_tokens_associated_data
from connector.errors import StoreUnreachable
from connector.model import Connection, OAuthState, StoredTokens, Tokens, UserId
from connector.store import Database
from connector.tokens import UsableTokens
from tests.credentials import ANNA
from tests.journal.helpers import kill
from tests.manual_clock import ManualClock
from tests.running_service import Simulator, running_simulator, settings_for
from tiktok_simulator import InvalidToken, SimulatorState

T = TypeVar("T")
Rows = list[dict[str, Any]]
Fault = Literal["before", "after"]

REFRESH_PATH = "/v2/oauth/token"
REDIRECT_URI = "https://customer.example/callback"


class Gate:
    """Blocks every caller until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.open.wait()


class FaultyDatabase:
    """`faults` names an operation, or `*`, and when it fails: before the work or only after it."""

    def __init__(self, real: Database) -> None:
        self.name = real.name
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, Fault] = {}
        self.before_call: dict[str, Callable[[], Awaitable[object]]] = {}
        self.after_call: dict[str, Callable[[], Awaitable[object]]] = {}
        self._real = real

    async def open(self) -> None:
        await self._real.open()

    async def call(self, operation: str, **arguments: Any) -> Rows:
        self.calls[operation] += 1
        if operation in self.before_call:
            await self.before_call[operation]()
        fault = self.faults.get(operation) or self.faults.get("*")
        if fault == "before":
            raise StoreUnreachable("The database cannot be reached.")
        rows = await self._real.call(operation, **arguments)
        if operation in self.after_call:
            await self.after_call[operation]()
        if fault == "after":
            raise StoreUnreachable("The database's response was lost.")
        return rows

    async def close(self) -> None:
        await self._real.close()


class Replica:
    """Behaves like a separate process."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.refresher = service.token_refresher
        self.background = service.background_refresher
        self.outcome_writer = self.refresher._outcome_writer
        self.store = service.store
        self.database = FaultyDatabase(service.database)
        self.store._database = self.database
        self.is_closed = False

    @property
    def owner_id(self) -> str:
        return self.service.journal.owner_id

    async def read(self, connection_id: str) -> UsableTokens:
        return await self.service.connections.get_token(connection_id, actor="server")

    async def stored(self, connection_id: str) -> StoredTokens:
        stored = await self.store.get_stored_tokens(connection_id)
        assert stored is not None
        return stored

    async def connection(self, connection_id: str) -> Connection:
        connection = await self.store.get_connection(connection_id)
        assert connection is not None
        return connection

    async def tokens(self, connection_id: str) -> Tokens:
        stored = await self.stored(connection_id)
        assert stored.encrypted_tokens is not None
        return self.service.cipher.decrypt_tokens(
            stored.encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )

    async def refresh(self, connection_id: str) -> StoredTokens:
        result = await self.refresher.refresh(await self.stored(connection_id), actor="user")
        return result.stored

    async def disconnect(self, connection_id: str) -> Connection:
        return await self.service.connections.disconnect(
            connection_id, scope=Scope.everyone(), actor="user"
        )

    async def run_batch(self) -> bool:
        """Runs one background batch to its end; returns True if more connections may be due."""
        batch = await self.background.run_batch()
        await self.refresher.wait_until_idle()
        return batch.more_due

    async def run_background(self) -> None:
        """Runs background batches until no connection is due."""
        while await self.run_batch():
            pass

    async def last_attempt(self, connection_id: str) -> str:
        """Returns the operation, the result and TikTok's code of each attempt."""
        attempt = (await self.store.list_attempts(connection_id))[0]
        return f"{attempt.operation} {attempt.result} {attempt.tiktok_code}"

    async def kill(self) -> None:
        """Has the effect of SIGKILL: written data stays, locks are released, no task is completed."""
        self.is_closed = True
        tasks: list[asyncio.Task[Any]] = [
            *self.refresher._running._tasks.values(),
            *self.outcome_writer._batcher._tasks,
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kill(self.service.journal)
        await self.service.tiktok_client.close()
        await self.service.database.close()


class TokenHarness:
    def __init__(self, simulator: Simulator, path: Path, exit_stack: AsyncExitStack) -> None:
        self.simulator = simulator
        self.clock = simulator.clock
        self.path = path
        self._exit_stack = exit_stack

    @property
    def simulator_state(self) -> SimulatorState:
        return self.simulator.state

    async def start_replica(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        faults: Mapping[str, Fault] | None = None,
        clock: Clock | None = None,
    ) -> Replica:
        """Starts a new process, which recovers the journals of killed processes."""
        parsed = settings_for(self.path, self.simulator.url, **settings or {})
        service = Service.build(parsed, clock=clock or self.clock)
        replica = Replica(service)
        replica.database.faults.update(faults or {})
        await service.__aenter__()
        self._exit_stack.push_async_callback(self._close, replica)
        return replica

    async def _close(self, replica: Replica) -> None:
        if not replica.is_closed:
            replica.database.faults.clear()
            # A test that failed leaves its gates closed. The service would wait for them for ever.
            for step in replica.database.before_call.values():
                if isinstance(step, Gate):
                    step.open.set()
            await self.advance_until_done(replica.service.__aexit__(None, None, None))

    async def connect(
        self,
        replica: Replica,
        family: str = "login_kit",
        *,
        user_id: UserId = ANNA,
        person: str = "robin",
        **consent: Any,
    ) -> str:
        """Connects one person through the consent page; the second call is a reconnect."""
        redirect_uri = None if family == "marketing" else REDIRECT_URI
        code = await self.simulator.consent(
            family, person=person, redirect_uri=redirect_uri, **consent
        )
        oauth_state = OAuthState(user_id, self.clock.now(), family, REDIRECT_URI)
        reply = await replica.service.code_exchange.exchange(
            code, state=uuid.uuid4().hex, oauth_state=oauth_state, actor="user"
        )
        return str(reply.connection_id)

    async def connect_person(self, replica: Replica, number: int) -> str:
        """Connects one of many people; each person is a separate user."""
        user_id = UserId(str(UUID(int=number + 1)))
        return await self.connect(replica, person=f"person {number}", user_id=user_id)

    async def connect_people(self, replica: Replica, count: int) -> list[str]:
        semaphore = asyncio.Semaphore(32)

        async def connect(number: int) -> str:
            async with semaphore:
                return await self.connect_person(replica, number)

        return list(await asyncio.gather(*map(connect, range(count))))

    async def refresh_count(self) -> int:
        return int((await self.simulator.stats())["refreshes"])

    async def advance_until_done(self, work: Awaitable[T]) -> T:
        """Advances the clock whenever the work sleeps."""
        task = asyncio.ensure_future(work)
        while not task.done():
            asleep = asyncio.create_task(self.clock.until_asleep())
            await asyncio.wait({task, asleep}, return_when=asyncio.FIRST_COMPLETED)
            if asleep.done():
                # The process that is not asleep needs real time for its calls.
                await asyncio.wait({task}, timeout=0.01)
                self.clock.advance(0.5)
            asleep.cancel()
        return await task

    async def wait_for_tiktok_calls(self, count: int = 1) -> None:
        """Waits until `count` calls run at TikTok."""
        async with asyncio.timeout(5):
            call_log = self.simulator_state.call_log
            while call_log.stats()["in_flight"] < count:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.001)

    def end_faults(self) -> None:
        """Ends all faults; TikTok also responds to the calls that hang."""
        self.simulator_state.faults.clear()

    def is_accepted(self, tokens: Tokens) -> bool:
        """Returns True if TikTok accepts the tokens at this moment."""
        try:
            self.simulator_state.tokens.find_access_token(tokens.access.get_secret_value())
        except InvalidToken:
            return False
        return True

    def is_rotated(self, tokens: Tokens) -> bool:
        """Whether TikTok has replaced the refresh token."""
        assert tokens.refresh is not None
        registry = self.simulator_state.tokens
        return registry._refresh_tokens[tokens.refresh.get_secret_value()].rotated_at is not None

    def has_active_grant(self, person: str) -> bool:
        return any(grant.is_active for grant in self.simulator_state.tokens.grants_of(person))

    def advance_into_margin(self, tokens: Tokens) -> None:
        """Advances the clock until the token is not fresh any more, but unexpired."""
        assert tokens.expires_at is not None
        wait = tokens.expires_at - self.clock.now() - schedule.refresh_margin(tokens) / 2
        self.clock.advance(wait.total_seconds())

    def advance_past_expiry(self, tokens: Tokens) -> None:
        assert tokens.expires_at is not None
        self.clock.advance((tokens.expires_at - self.clock.now()).total_seconds() + 1)

    def rows(self, table: str) -> Rows:
        with closing(sqlite3.connect(self.path / "connector.db")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"select * from {table}")]

    def events(self) -> list[str]:
        return [str(row["type"]).removeprefix("connection.") for row in self.rows("events")]


@asynccontextmanager
async def open_harness(path: Path, clock: ManualClock | None = None) -> AsyncIterator[TokenHarness]:
    async with running_simulator(clock) as simulator, AsyncExitStack() as exit_stack:
        yield TokenHarness(simulator, path, exit_stack)
