"""A simulator on a real socket, following a clock that the test turns."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from connector.simulator import WORLD, App, World, build
from connector.simulator.app import serving

ADS = App(id="7001", secret="ads-secret", name="Adlane")
KIT = App(id="awkey", secret="kit-secret", name="Postbox", family="login_kit")
BACK = "https://customer.example/callback"
Json = dict[str, Any]


@dataclass
class Clock:
    """Stands still until it is turned."""

    seconds: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Tap:
    """Speaks to the simulator as a client would, and leaves the judging to the test."""

    origin: str
    world: World
    clock: Clock
    http: ClientSession = field(repr=False)

    async def call(self, method: str, path: str, /, **more: Any) -> tuple[ClientResponse, bytes]:
        async with self.http.request(
            method, self.origin + path, allow_redirects=False, **more
        ) as answer:
            return answer, await answer.read()

    async def get(self, path: str, /, *, token: str | None = None, **params: str) -> Json:
        headers = {"Access-Token": token} if token else {}
        answer, _ = await self.call("GET", path, params=params, headers=headers)
        assert answer.status == 200
        return await _object(answer)

    async def post(self, path: str, /, *, token: str | None = None, **body: Any) -> Json:
        headers = {"Access-Token": token} if token else {}
        answer, _ = await self.call("POST", path, json=body, headers=headers)
        assert answer.status == 200
        return await _object(answer)

    async def form(self, path: str, /, **fields: str) -> Json:
        answer, _ = await self.call("POST", path, data=fields)
        assert answer.status == 200
        return await _object(answer)

    async def open(self, method: str, path: str, token: str, **more: Any) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {token}"}
        answer, _ = await self.call(method, path, headers=headers, **more)
        return answer.status, await _object(answer)

    async def sim(self, control: str, /, **body: Any) -> Json:
        return await self.post(f"/_sim/{control}", **body)

    async def consent(self, family: str = "marketing", **more: Any) -> str:
        app = KIT if family == "login_kit" else ADS
        given = await self.sim("consent", **{"family": family, "app": app.id, **more})
        return str(given["code"])

    async def exchange(self, code: str, **changed: Any) -> Json:
        body = {"app_id": ADS.id, "secret": ADS.secret, "auth_code": code, **changed}
        return await self.post("/open_api/v1.3/oauth2/access_token/", **body)

    async def ads_token(self, **consent: Any) -> str:
        code = await self.consent(**consent)
        return str((await self.exchange(code))["data"]["access_token"])

    async def account_exchange(self, code: str, **changed: Any) -> Json:
        body = {
            "client_id": ADS.id,
            "client_secret": ADS.secret,
            "grant_type": "authorization_code",
            "auth_code": code,
            "redirect_uri": BACK,
            **changed,
        }
        return await self.post("/open_api/v1.3/tt_user/oauth2/token/", **body)

    async def account(self, **consent: Any) -> Json:
        answer = await self.account_exchange(await self.consent("accounts", **consent))
        data: Json = answer["data"]
        return data

    async def account_refresh(self, token: str) -> Json:
        return await self.post(
            "/open_api/v1.3/tt_user/oauth2/refresh_token/",
            client_id=ADS.id,
            client_secret=ADS.secret,
            grant_type="refresh_token",
            refresh_token=token,
        )

    async def kit_exchange(self, code: str, **changed: str) -> Json:
        fields = {
            "client_key": KIT.id,
            "client_secret": KIT.secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            **changed,
        }
        return await self.form("/v2/oauth/token/", **fields)

    async def kit(self, **consent: Any) -> Json:
        return await self.kit_exchange(await self.consent("login_kit", **consent))

    async def kit_refresh(self, token: str) -> Json:
        return await self.form(
            "/v2/oauth/token/",
            client_key=KIT.id,
            client_secret=KIT.secret,
            grant_type="refresh_token",
            refresh_token=token,
        )

    async def stats(self) -> Json:
        return await self.get("/_sim/stats")


async def _object(answer: ClientResponse) -> Json:
    body: Json = await answer.json()
    return body


def hex_challenge(verifier: str) -> str:
    return hashlib.sha256(verifier.encode()).hexdigest()


@pytest.fixture
async def tap() -> AsyncIterator[Tap]:
    clock = Clock()
    app = build(now=clock, apps=[ADS, KIT])
    async with serving(app) as origin, ClientSession() as http:
        yield Tap(origin, app[WORLD], clock, http)
