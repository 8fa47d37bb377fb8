"""A house, a TikTok and a window in Chromium; whatever the window complains of fails the test.

A console error, an exception nobody caught, a breach of the content security policy or a request to
an origin that is none of ours is such a complaint. Chromium also logs an error for each refusal it
is answered with, so a test names the statuses it provokes: `window.expects(401)`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientSession
from playwright.async_api import Browser, ConsoleMessage, Page, Request, ViewportSize

from connector.app import House
from connector.model import UserId, stamp
from tests import houses
from tests.houses import AS_SERVER, Json, Simulator
from tests.people import ANNA
from tests.places import Place, in_file

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"

REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
LOST = re.compile(r"Failed to load resource: net::")
NARROW: ViewportSize = {"width": 360, "height": 740}
WIDE: ViewportSize = {"width": 1280, "height": 860}


@dataclass
class Scene:
    house: House
    place: Place
    url: str
    simulator: Simulator
    http: ClientSession = field(repr=False)

    async def ticket(self, user_id: UserId = ANNA, **more: str) -> Json:
        asked = {"user_id": user_id, **more}
        return await self.call("POST", "/tickets", asked)

    async def link(self, user_id: UserId = ANNA, **more: str) -> str:
        return str((await self.ticket(user_id, **more))["url"])

    async def connected(self, *, user_id: UserId = ANNA, **consent: Any) -> Json:
        return await houses.connected(
            self.http, self.url, self.simulator, user_id=user_id, **consent
        )

    async def callback(self, *, family: str = "marketing", to: str = "", **consent: Any) -> str:
        """The address TikTok sends a person back to after their consent."""
        asked = {"user_id": ANNA, "family": family, "return_to": to or None}
        state = (await self.call("POST", "/oauth/start", asked))["state"]
        code = await self.simulator.consent(family, **consent)
        return self.back(auth_code=code, state=state)

    def back(self, **query: str) -> str:
        return f"{self.url}/oauth/callback?{urlencode(query)}"

    async def get(self, path: str) -> Json:
        return await self.call("GET", path)

    async def call(
        self, method: str, path: str, body: Json | None = None, *, status: int = 200
    ) -> Json:
        """As the customer's server."""
        asking = self.http.request(method, self.url + path, json=body, headers=AS_SERVER)
        async with asking as answer:
            assert answer.status == status, await answer.text()
            told: Json = await answer.json()
            return told

    def live_through_a_day(self, connection_id: str) -> None:
        """A day's attempts, as the keeper would have left them behind."""
        now = self.simulator.clock.now()
        for hour in range(1, 24):
            at = stamp(now - timedelta(hours=hour, minutes=-5))
            bad = hour in (4, 5, 16)
            verdict, message = (
                ("tiktok_unreachable", "TikTok does not answer.") if bad else ("ok", "")
            )
            for _ in range(hour * 7 % 5 + 1):
                self.place.script(
                    "insert into attempts "
                    "(connection_id, at, what, who, verdict, message, took_ms) values "
                    f"('{connection_id}', '{at}', 'refresh', 'keeper', '{verdict}', '{message}', 41)"
                )

    def without_store(self) -> None:
        self.place.script("alter table codes rename to codes_away")

    def with_store(self) -> None:
        self.place.script("alter table codes_away rename to codes")

    async def only_connection(self) -> Json:
        (connection,) = (await self.get("/connections"))["connections"]
        told: Json = connection
        return told


@asynccontextmanager
async def acting(folder: Path, **settings: str) -> AsyncIterator[Scene]:
    async with houses.running_simulator() as simulator:
        read = houses.settings_for(folder, simulator.url, **settings)
        house = House.build(read, clock=simulator.clock)
        async with houses.serving(house) as url, ClientSession() as http:
            yield Scene(house, in_file(read.database), url, simulator, http)
            simulator.world.faults.clear()  # Else what hangs would hold up the house's end.


@dataclass
class Window:
    page: Page = field(repr=False)
    origins: set[str]
    complaints: list[str] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    losing: bool = False
    """Set by a test that cuts the line."""

    def expects(self, *statuses: int) -> None:
        self.expected |= {str(status) for status in statuses}

    async def set_time(self, scene: Scene) -> None:
        await self.page.clock.set_fixed_time(scene.simulator.clock.now())

    def watch(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"not caught: {error}"))
        self.page.context.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        refused = REFUSED.match(message.text)
        if refused and refused[1] in self.expected:
            return
        if not (self.losing and LOST.match(message.text)):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self.complaints.append(f"asked a stranger: {request.url}")


@asynccontextmanager
async def opened(browser: Browser, scene: Scene, *also: str) -> AsyncIterator[Window]:
    """A window of its own, with no cookie yet; its clock says what the house's does."""
    context = await browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(10_000)
    page = await context.new_page()
    window = Window(page, {scene.url, scene.simulator.url, *also})
    await window.set_time(scene)
    window.watch()
    try:
        yield window
        assert window.complaints == []
    finally:
        await context.close()
