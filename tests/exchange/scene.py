"""A house without its web floor, in front of a TikTok of our own, and somebody who presents codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connector.app import House
from connector.model import UserId
from connector.store import Answer
from tests.clocks import TurnedClock
from tests.houses import Simulator, settings_for
from tests.people import ANNA
from tests.places import Place, Rows

T = TypeVar("T")

BEN = UserId("0b5e7a52-91c4-4f0e-8a1d-6d3c5f7e9b21")
FAMILIES = ("marketing", "accounts", "login_kit")

on_sqlite = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""For the many ways in which TikTok may fail, which are nothing to the store."""

EXCHANGES = ("oauth2/access_token", "tt_user/oauth2/token", "v2/oauth/token")
ADVERTISERS = "oauth2/advertiser/get"
WHOSE = "user/info"


async def until(condition: Callable[[], bool], *, patience: float = 20) -> None:
    """For what happens on the other side of a socket, where no event of ours reaches."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Scene:
    house: House
    simulator: Simulator
    place: Place

    @property
    def clock(self) -> TurnedClock:
        return self.simulator.clock

    def state(self, family: str = "marketing", *, user_id: UserId = ANNA) -> str:
        redirect_uri = self.house.settings.redirect_uris[0]
        return self.house.intents.issue(user_id, family=family, redirect_uri=redirect_uri)

    async def consent(self, family: str = "marketing", **more: Any) -> str:
        return await self.simulator.consent(family, **more)

    async def post(self, code: str, state: str) -> Answer:
        intent = self.house.intents.read(state, None)
        return await self.house.exchange.exchange(code, state=state, intent=intent, who="person")

    async def connect(
        self, family: str = "marketing", *, user_id: UserId = ANNA, **consent: Any
    ) -> Answer:
        code = await self.consent(family, **consent)
        return await self.post(code, self.state(family, user_id=user_id))

    async def catch_up(self) -> None:
        """What the background does every few seconds."""
        await self.house.exchange.catch_up()

    def rows(self, table: str) -> Rows:
        return self.place.rows(table)

    def calls(self, *paths: str) -> int:
        """How often TikTok was asked for any of these, however it ended."""
        lines = self.simulator.world.record.calls()
        return sum(any(path in line["path"] for path in paths) for line in lines)

    async def called(self, path: str, *, times: int = 1) -> None:
        """Until TikTok has been asked for it."""
        await until(lambda: self.calls(path) >= times)

    async def passing(self, work: Awaitable[T]) -> T:
        """Time goes by until it is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            self.clock.turn(0.5)
            await asyncio.wait({task}, timeout=0.005)
        return task.result()

    @property
    def exchanges(self) -> int:
        return self.calls(*EXCHANGES)


@asynccontextmanager
async def at(
    place: Place, simulator: Simulator, directory: Path, **environ: str
) -> AsyncIterator[Scene]:
    """One process's life; its journal is in the directory, for the next one to find."""
    settings = settings_for(directory, simulator.url, **{**place.environ, **environ})
    async with House.build(settings, clock=simulator.clock) as house:
        yield Scene(house, simulator, place)
