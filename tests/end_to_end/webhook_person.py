"""A TikTok user and two processes with one database, as the tests of webhooks see them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from aiohttp import ClientSession

from connector.model import UserId
from tests.database_views import DatabaseView
from tests.manual_clock import ManualClock
from tests.running_service import AS_SERVER, LOGIN_KIT_APP, Json, Simulator

from .service_process import TIMEOUT_SECONDS, Customer, ServiceProcess

T = TypeVar("T")

IN_TIME = 5.0
"""Seconds from a webhook to its effect on every replica."""


class RealClock(ManualClock):
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class Replicas:
    services: list[ServiceProcess]
    database: DatabaseView

    def event_types(self, connection_id: str) -> Counter[str]:
        rows = self.database.rows("events")
        return Counter(row["type"] for row in rows if row["connection_id"] == connection_id)


class Person:
    """A TikTok user who connects one account to this service, perhaps for several users of the customer."""

    def __init__(self, http: ClientSession, replicas: Replicas, simulator: Simulator) -> None:
        self._http = http
        self._replicas = replicas
        self._simulator = simulator
        self.name = str(uuid4())
        self.tiktok_user_id = ""

    async def connect(self, user: UserId) -> str:
        """Returns the id of the connection."""
        customer = Customer(self._http, user, *self._replicas.services)
        state = await customer.state("login_kit")
        code = await self._simulator.consent("login_kit", person=self.name)
        status, reply = await customer.post_code(code, state)
        assert status == 200, reply
        id = str(reply["connection_id"])
        self.tiktok_user_id = (await self.connection(id))["tiktok_user_id"]
        return id

    async def connection(self, id: str, *, at: int = 0) -> Json:
        _, connection = await self.call("GET", f"/connections/{id}", at=at)
        return connection

    async def call(self, method: str, path: str, *, at: int = 0) -> tuple[int, Json]:
        url = self._replicas.services[at].url + path
        async with self._http.request(method, url, headers=AS_SERVER) as response:
            body: Json = await response.json()
            return response.status, body

    async def revoke(self) -> None:
        response = await self._simulator.post("/_sim/revoke", {"person": self.name})
        assert [webhook["status"] for webhook in response["webhooks"]] == [200]

    async def send(self, event: str = "authorization.removed", **fields: Any) -> int | None:
        """Lets the simulator send a webhook about this person. Returns the status of the first attempt."""
        request = {"app": LOGIN_KIT_APP.id, "event": event, "open_id": self.tiktok_user_id}
        response = await self._simulator.post("/_sim/webhooks", request | fields)
        [webhook] = response["webhooks"]
        status: int | None = webhook["status"]
        return status

    async def webhooks(self) -> list[Json]:
        _, reply = await self.call("GET", "/webhooks")
        return [w for w in reply["webhooks"] if w["tiktok_user_id"] == self.tiktok_user_id]

    async def refreshes(self, id: str) -> list[Json]:
        _, reply = await self.call("GET", f"/connections/{id}/attempts")
        return [attempt for attempt in reply["attempts"] if attempt["operation"] == "refresh"]

    async def wait_for_status(
        self, id: str, status: str, *, at: int = 0, seconds: float = IN_TIME
    ) -> Json:
        return await until(
            lambda: self.connection(id, at=at),
            lambda connection: bool(connection["status"] == status),
            seconds=seconds,
        )


async def until(
    read: Callable[[], Awaitable[T]],
    is_expected: Callable[[T], bool],
    *,
    seconds: float = TIMEOUT_SECONDS,
) -> T:
    """Polls, because a change in another process has no event."""
    async with asyncio.timeout(seconds):
        while True:
            value = await read()
            if is_expected(value):
                return value
            await asyncio.sleep(0.02)
