"""The service without HTTP in front of a simulated TikTok, and a person who posts codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connector.app import Service
from connector.connections import Scope
from connector.errors import ConnectorError
from connector.model import Account, Attempt, Connection, UserId
from connector.oauth import SuccessReply
from tests.credentials import ANNA
from tests.database_views import DatabaseView, Rows
from tests.manual_clock import ManualClock
from tests.running_service import Simulator, settings_for

T = TypeVar("T")

BEN = UserId("0b5e7a52-91c4-4f0e-8a1d-6d3c5f7e9b21")
FAMILIES = ("marketing", "accounts", "login_kit")

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""Selects SQLite only, for failures of TikTok, which do not depend on the database."""

EXCHANGE_PATHS = ("oauth2/access_token", "tt_user/oauth2/token", "v2/oauth/token")
ADVERTISERS = "oauth2/advertiser/get"
USER_INFO = "user/info"


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Polls a condition on the other side of a socket, where the test has no event to wait for."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def error_of(posting: Awaitable[object]) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await posting
    return caught.value


@dataclass(frozen=True)
class ExchangeHarness:
    service: Service
    simulator: Simulator
    database: DatabaseView

    @property
    def clock(self) -> ManualClock:
        return self.simulator.clock

    # Connecting.

    def state(self, family: str = "marketing", *, user_id: UserId = ANNA) -> str:
        redirect_uri = self.service.settings.redirect_uris[0]
        return self.service.oauth_states.issue(user_id, family=family, redirect_uri=redirect_uri)

    async def consent(self, family: str = "marketing", **fields: Any) -> str:
        return await self.simulator.consent(family, **fields)

    async def post(self, code: str, state: str) -> SuccessReply:
        oauth_state = self.service.oauth_states.verify(state, None)
        return await self.service.code_exchange.exchange(
            code, state=state, oauth_state=oauth_state, actor="person"
        )

    async def connect(
        self, family: str = "marketing", *, user_id: UserId = ANNA, **consent: Any
    ) -> SuccessReply:
        code = await self.consent(family, **consent)
        return await self.post(code, self.state(family, user_id=user_id))

    async def retry_pending(self) -> None:
        """The background calls this every few seconds."""
        await self.service.code_exchange.retry_pending()

    # Using connections.

    async def get_connection(
        self, connection_id: str, *, user_id: UserId | None = ANNA
    ) -> Connection:
        """Acts as a server if `user_id` is None."""
        scope = Scope.everyone() if user_id is None else Scope.user(user_id)
        return await self.service.connections.get(connection_id, scope=scope)

    async def list_attempts(self, connection_id: str, *, user_id: UserId = ANNA) -> list[Attempt]:
        return await self.service.connections.list_attempts(
            connection_id, scope=Scope.user(user_id)
        )

    async def find_advertiser_connection(
        self, connection_id: str | None = None, *, user_id: UserId = ANNA
    ) -> Connection:
        return await self.service.connections.find_advertiser_connection(
            user_id=user_id, connection_id=connection_id
        )

    async def select_advertiser(
        self, advertiser_id: str, connection_id: str | None = None, *, user_id: UserId = ANNA
    ) -> tuple[str, Account]:
        """Returns the id of the connection and the currently selected advertiser."""
        selection = await self.service.connections.select_advertiser(
            advertiser_id, user_id=user_id, connection_id=connection_id
        )
        return selection.connection_id, selection.advertiser

    async def access_token(self, connection_id: str) -> str:
        usable = await self.service.connections.get_token(connection_id, actor="server")
        return usable.tokens.access.get_secret_value()

    async def refresh(self, connection_id: str, *, user_id: UserId = ANNA) -> Connection:
        return await self.service.connections.refresh(
            connection_id, scope=Scope.user(user_id), actor="user"
        )

    async def disconnect(self, connection_id: str, *, user_id: UserId = ANNA) -> Connection:
        return await self.service.connections.disconnect(
            connection_id, scope=Scope.user(user_id), actor="user"
        )

    async def refresh_due_connections(self) -> None:
        """Refreshes, probes and revokes all due connections, like the background."""
        await self.service.background_refresher.run_batch()
        await self.service.token_refresher.wait_until_idle()

    # Observing.

    def rows(self, table: str) -> Rows:
        return self.database.rows(table)

    def row(self, table: str) -> dict[str, Any]:
        return self.database.row(table)

    def count_calls(self, *paths: str) -> int:
        """Counts the calls that TikTok received for these paths, failed calls too; "" is any path."""
        calls = self.simulator.state.call_log.calls()
        return sum(any(path in call["path"] for path in paths) for call in calls)

    @property
    def exchange_count(self) -> int:
        return self.count_calls(*EXCHANGE_PATHS)

    async def wait_for_call(self, path: str, *, count: int = 1) -> None:
        await until(lambda: self.count_calls(path) >= count)

    async def advance_until_done(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        while not task.done():
            self.clock.advance(0.5)
            await asyncio.wait({task}, timeout=0.005)
        return task.result()


@asynccontextmanager
async def running_process(
    database: DatabaseView, simulator: Simulator, directory: Path, **environ: str
) -> AsyncIterator[ExchangeHarness]:
    """Runs one process from start to end. A later process with this directory recovers its journal."""
    settings = settings_for(directory, simulator.url, **{**database.environ, **environ})
    async with Service.build(settings, clock=simulator.clock) as service:
        yield ExchangeHarness(service, simulator, database)
