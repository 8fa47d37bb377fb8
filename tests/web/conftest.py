"""A house with its doors open, and a visitor who says what they like to it over a real socket."""

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

from connector.app import House
from connector.model import UserId
from tests.houses import (
    Simulator,
    connected,
    running_simulator,
    serving,
    settings_for,
    state_for,
)
from tests.people import ANNA
from tests.stack import Stack

OURS = "https://app.example.com"
"""The customer's frontend, which may call us."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    cookies: SimpleCookie
    text: str = field(repr=False)

    @property
    def said(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.said["code"])


@dataclass(frozen=True)
class Site:
    url: str
    house: House
    simulator: Simulator
    http: ClientSession = field(repr=False)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        async with self.http.request(
            method, self.url + path, headers=headers, allow_redirects=False, **more
        ) as answer:
            return Answer(answer.status, answer.headers, answer.cookies, await answer.text())

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def post(
        self, path: str, headers: Mapping[str, str] | None = None, /, **body: Any
    ) -> Answer:
        return await self.call("POST", path, headers=headers, json=body)

    def user(self, user_id: UserId = ANNA) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.house.identity.mint(user_id).text}"}

    async def session(self, headers: Mapping[str, str]) -> str:
        """The cookie a browser has after its person has come in, as it sends it."""
        answer = await self.call("POST", "/session", headers=headers)
        assert answer.status == 200, answer.text
        return f"connector_session={answer.cookies['connector_session'].value}"

    async def state(self, **more: Any) -> str:
        return await state_for(self.http, self.url, **more)

    async def connected(self, **more: Any) -> Any:
        return await connected(self.http, self.url, self.simulator, **more)


Opening = Callable[..., Awaitable[Site]]


@pytest.fixture
async def opening(tmp_path: Path) -> AsyncIterator[Opening]:
    """Opens a house with these settings, beside those that tests have."""
    async with AsyncExitStack() as doors:
        simulator = await doors.enter_async_context(running_simulator())
        http = await doors.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))

        async def open_house(**extra: str) -> Site:
            settings = settings_for(
                tmp_path, simulator.url, CONNECTOR_ALLOWED_ORIGINS=OURS, **extra
            )
            house = House.build(settings, clock=simulator.clock)
            return Site(await doors.enter_async_context(serving(house)), house, simulator, http)

        yield open_house


@pytest.fixture
async def site(opening: Opening) -> Site:
    return await opening()


@pytest.fixture(params=["sqlite", "supabase"])
async def anywhere(request: pytest.FixtureRequest, opening: Opening) -> Site:
    """The same on either store."""
    if request.param == "sqlite":
        return await opening()
    stack: Stack = request.getfixturevalue("stack")
    stack.truncate()
    return await opening(**stack.environment())
