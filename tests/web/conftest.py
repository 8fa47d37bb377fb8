"""A running service, and an HTTP client that can send it anything over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar

from connector.app import Service
from connector.model import UserId
from tests.credentials import ANNA
from tests.running_service import (
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
    state_for,
)
from tests.supabase_stack import Stack

ALLOWED_ORIGIN = "https://app.example.com"
"""The origin of the customer's frontend."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    cookies: SimpleCookie
    text: str = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass(frozen=True)
class Harness:
    url: str
    service: Service
    simulator: Simulator
    http: ClientSession = field(repr=False)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Response:
        async with self.http.request(
            method, self.url + path, headers=headers, allow_redirects=False, **options
        ) as response:
            return Response(
                response.status, response.headers, response.cookies, await response.text()
            )

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return await self.call("GET", path, headers=headers)

    async def post(
        self, path: str, headers: Mapping[str, str] | None = None, /, **body: Any
    ) -> Response:
        return await self.call("POST", path, headers=headers, json=body)

    def as_user(self, user_id: UserId = ANNA) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.service.authenticator.tickets.issue(user_id).text}"}

    async def session_cookie(self, headers: Mapping[str, str]) -> str:
        """Returns the Cookie header of a browser that exchanged these credentials for a session."""
        response = await self.call("POST", "/session", headers=headers)
        assert response.status == 200, response.text
        return f"connector_session={response.cookies['connector_session'].value}"

    async def state(self, **fields: Any) -> str:
        return await state_for(self.http, self.url, **fields)

    async def connect(self, **consent: Any) -> Any:
        return await connect_account(self.http, self.url, self.simulator, **consent)


StartService = Callable[..., Awaitable[Harness]]


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[StartService]:
    """Starts a service with the given settings in addition to those of all tests."""
    async with AsyncExitStack() as exit_stack:
        simulator = await exit_stack.enter_async_context(running_simulator())
        http = await exit_stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))

        async def start(**extra: str) -> Harness:
            settings = settings_for(
                tmp_path, simulator.url, CONNECTOR_ALLOWED_ORIGINS=ALLOWED_ORIGIN, **extra
            )
            service = Service.build(settings, clock=simulator.clock)
            url = await exit_stack.enter_async_context(serving(service))
            return Harness(url, service, simulator, http)

        yield start


@pytest.fixture
async def harness(start_service: StartService) -> Harness:
    return await start_service()


@pytest.fixture(params=["sqlite", "supabase"])
async def each_store(request: pytest.FixtureRequest, start_service: StartService) -> Harness:
    """A harness on SQLite, and another on Supabase."""
    if request.param == "sqlite":
        return await start_service()
    stack: Stack = request.getfixturevalue("stack")
    stack.truncate()
    return await start_service(**stack.environment())
