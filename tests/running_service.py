"""The whole service on a real socket, with the simulator as TikTok and a clock that the test advances.

    async with running_simulator() as simulator:
        service = Service.build(settings_for(tmp_path, simulator.url), clock=simulator.clock)
        async with serving(service) as url, ClientSession() as http:
            response = await connect_account(http, url, simulator, user_id=ANNA)

The service and the simulator use the same clock. `settings_for` selects a free port and accepts further
settings by name: with `**stack.environment()` the store is Supabase.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

import connector
from connector.app import Service
from connector.model import UserId
from connector.settings.table import Settings
from connector.web import listen
from tiktok_simulator import STATE, App, SimulatorState, build_simulator, serve_application

from .credentials import ANNA, API_KEYS, JWT_SECRET
from .manual_clock import ManualClock
from .processes import free_port

BUSINESS_APP = App(id="ads-app-7001", secret="canary-ads-app-secret", name="Adlane")
LOGIN_KIT_APP = App(id="awkey", secret="canary-kit-app-secret", name="Postbox", family="login_kit")
PACKAGE = str(Path(connector.__file__).parent)
AS_SERVER = {"Authorization": f"Bearer {API_KEYS[0]}"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Simulator:
    url: str
    app: web.Application
    clock: ManualClock
    http: ClientSession = field(repr=False)

    @property
    def state(self) -> SimulatorState:
        return self.app[STATE]

    async def post(self, path: str, json: Any) -> Json:
        async with self.http.post(self.url + path, json=json) as response:
            assert response.status == 200, await response.text()
            body: Json = await response.json()
            return body

    async def get(self, path: str) -> Json:
        async with self.http.get(self.url + path) as response:
            assert response.status == 200, await response.text()
            body: Json = await response.json()
            return body

    async def consent(self, family: str = "marketing", **fields: Any) -> str:
        """Consents without the consent page and returns the authorization code."""
        app = LOGIN_KIT_APP if family == "login_kit" else BUSINESS_APP
        request = {"family": family, "app": app.id, **fields}
        return str((await self.post("/_sim/consent", request))["code"])

    async def fault(self, path: str, kind: str, value: Any = None, *, times: int = 1) -> None:
        """`path` is any part of a path at TikTok; with `times=-1` the fault never ends."""
        fault = {"path": path, "kind": kind, "value": value, "times": times}
        await self.post("/_sim/faults", fault)

    async def stats(self) -> Json:
        return await self.get("/_sim/stats")


@asynccontextmanager
async def running_simulator(clock: ManualClock | None = None) -> AsyncIterator[Simulator]:
    clock = clock or ManualClock()
    app = build_simulator(now=lambda: clock.now().timestamp(), apps=(BUSINESS_APP, LOGIN_KIT_APP))
    async with serve_application(app) as url, ClientSession() as http:
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
        "CONNECTOR_API_KEYS": ",".join(API_KEYS),
        "SUPABASE_JWT_SECRET": JWT_SECRET,
        "TIKTOK_APP_ID": BUSINESS_APP.id,
        "TIKTOK_APP_SECRET": BUSINESS_APP.secret,
        "TIKTOK_CLIENT_KEY": LOGIN_KIT_APP.id,
        "TIKTOK_CLIENT_SECRET": LOGIN_KIT_APP.secret,
        "TIKTOK_BUSINESS_API_URL": simulator_url,
        "TIKTOK_OPEN_API_URL": simulator_url,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{simulator_url}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{simulator_url}/v2/auth/authorize/",
    }


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[str]:
    """Serves at the host and port of the settings; the background tasks run too."""
    settings = service.settings
    app = service.web_application()
    async with listen(app, settings.host, settings.port, shutdown_timeout=1):
        yield f"http://{settings.host}:{settings.port}"


def stop_background_loops() -> None:
    """Otherwise the loops may refresh a token before a request of the test does."""
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        if code is not None and code.co_filename.startswith(PACKAGE):
            task.cancel()


async def state_for(
    http: ClientSession,
    url: str,
    *,
    user_id: UserId = ANNA,
    family: str = "marketing",
    **fields: str,
) -> str:
    """Returns a signed state, which a customer's server gets from POST /oauth/start."""
    request = {"user_id": user_id, "family": family, **fields}
    async with http.post(f"{url}/oauth/start", json=request, headers=AS_SERVER) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["state"])


async def connect_account(
    http: ClientSession,
    url: str,
    simulator: Simulator,
    *,
    user_id: UserId = ANNA,
    family: str = "marketing",
    **consent: Any,
) -> Json:
    """Connects one account with state, consent and exchange; returns the response of the exchange."""
    state = await state_for(http, url, user_id=user_id, family=family)
    code = await simulator.consent(family, **consent)
    async with http.post(f"{url}/oauth/exchange", json={"code": code, "state": state}) as response:
        assert response.status == 200, await response.text()
        body: Json = await response.json()
        return body


def unsigned_state(user_id: UserId, ts: int) -> str:
    """Returns the state that hand-written frontends build."""
    state = json.dumps({"user_id": user_id, "ts": ts}).encode()
    return base64.urlsafe_b64encode(state).rstrip(b"=").decode()
