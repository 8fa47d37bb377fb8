"""A whole house on a real socket, with the simulator for a TikTok and a clock that the test turns.

    async with running_simulator() as simulator:
        house = House.build(settings_for(tmp_path, simulator.url), clock=simulator.clock)
        async with serving(house) as url, ClientSession() as http:
            answer = await connected(http, url, simulator, user_id=ANNA)

The house and the simulator follow the same clock. `settings_for` takes settings by their names and
a free port each time; with `**stack.environment()` the store is Supabase.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from connector.app import House
from connector.model import UserId
from connector.settings import Settings
from connector.simulator import WORLD, App, World
from connector.simulator import app as simulating

from .clocks import TurnedClock
from .people import ANNA, KEYS, SECRET
from .processes import free_port

ADS = App(id="7001", secret="canary-ads-app-secret", name="Adlane")
KIT = App(id="awkey", secret="canary-kit-app-secret", name="Postbox", family="login_kit")
AS_SERVER = {"Authorization": f"Bearer {KEYS[0]}"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Simulator:
    url: str
    app: web.Application
    clock: TurnedClock
    http: ClientSession = field(repr=False)

    @property
    def world(self) -> World:
        return self.app[WORLD]

    async def post(self, path: str, json: Any) -> Json:
        async with self.http.post(self.url + path, json=json) as answer:
            assert answer.status == 200, await answer.text()
            told: Json = await answer.json()
            return told

    async def get(self, path: str) -> Json:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            told: Json = await answer.json()
            return told

    async def consent(self, family: str = "marketing", **more: Any) -> str:
        """The code of a consent nobody had to click through."""
        app = KIT if family == "login_kit" else ADS
        asked = {"family": family, "app": app.id, **more}
        return str((await self.post("/_sim/consent", asked))["code"])

    async def fault(self, path: str, kind: str, value: Any = None, *, times: int = 1) -> None:
        """`path` is any part of TikTok's address; `times` -1 never ends."""
        fault = {"path": path, "kind": kind, "value": value, "times": times}
        await self.post("/_sim/faults", fault)

    async def stats(self) -> Json:
        return await self.get("/_sim/stats")


@asynccontextmanager
async def running_simulator(clock: TurnedClock | None = None) -> AsyncIterator[Simulator]:
    clock = clock or TurnedClock()
    app = simulating.build(now=lambda: clock.now().timestamp(), apps=(ADS, KIT))
    async with simulating.serving(app) as url, ClientSession() as http:
        yield Simulator(url, app, clock, http)


def settings_for(tmp_path: Path, simulator_url: str, **extra: str) -> Settings:
    return Settings.read(environ_for(tmp_path, simulator_url) | extra, dotenv=None)


def environ_for(tmp_path: Path, simulator_url: str) -> dict[str, str]:
    port = free_port()
    return {
        "CONNECTOR_PORT": str(port),
        "CONNECTOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CONNECTOR_DATABASE": str(tmp_path / "connector.db"),
        "CONNECTOR_JOURNAL": str(tmp_path / "connector.journal"),
        "CONNECTOR_API_KEYS": ",".join(KEYS),
        "SUPABASE_JWT_SECRET": SECRET,
        "TIKTOK_APP_ID": ADS.id,
        "TIKTOK_APP_SECRET": ADS.secret,
        "TIKTOK_CLIENT_KEY": KIT.id,
        "TIKTOK_CLIENT_SECRET": KIT.secret,
        "TIKTOK_BUSINESS_API_URL": simulator_url,
        "TIKTOK_OPEN_API_URL": simulator_url,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{simulator_url}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{simulator_url}/v2/auth/authorize/",
    }


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[str]:
    """Serves until left, at its settings' host and port; its background runs meanwhile."""
    runner = web.AppRunner(house.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        settings = house.settings
        await web.TCPSite(runner, settings.host, settings.port, backlog=1_024).start()
        yield f"http://{settings.host}:{settings.port}"
    finally:
        await runner.cleanup()


async def state_for(
    http: ClientSession, url: str, *, user_id: UserId = ANNA, family: str = "marketing", **more: str
) -> str:
    """A signed state, as a customer's server gets it from POST /oauth/start."""
    asked = {"user_id": user_id, "family": family, **more}
    async with http.post(f"{url}/oauth/start", json=asked, headers=AS_SERVER) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["state"])


async def connected(
    http: ClientSession,
    url: str,
    simulator: Simulator,
    *,
    user_id: UserId = ANNA,
    family: str = "marketing",
    **consent: Any,
) -> Json:
    """One person through the whole of it; what POST /oauth/exchange answered."""
    state = await state_for(http, url, user_id=user_id, family=family)
    code = await simulator.consent(family, **consent)
    async with http.post(f"{url}/oauth/exchange", json={"code": code, "state": state}) as answer:
        assert answer.status == 200, await answer.text()
        told: Json = await answer.json()
        return told


def unsigned_state(user_id: UserId, ts: int) -> str:
    """As hand-written frontends make it."""
    said = json.dumps({"user_id": user_id, "ts": ts}).encode()
    return base64.urlsafe_b64encode(said).rstrip(b"=").decode()
