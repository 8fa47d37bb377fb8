"""A simulator on a real socket. It follows a clock that only the test changes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from tiktok_simulator import STATE, App, SimulatorState, build_simulator, serve_application

BUSINESS_APP = App(id="7001", secret="ads-secret", name="Adlane")
LOGIN_KIT_APP = App(id="awkey", secret="kit-secret", name="Postbox", family="login_kit")
REDIRECT_URI = "https://customer.example/callback"
Json = dict[str, Any]


@dataclass
class ManualClock:
    seconds: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Client:
    """Calls the simulator like an app does. TikTok's errors are returned, not raised."""

    origin: str
    state: SimulatorState
    clock: ManualClock
    http: ClientSession = field(repr=False)

    async def request(
        self, method: str, path: str, /, **options: Any
    ) -> tuple[ClientResponse, bytes]:
        async with self.http.request(
            method, self.origin + path, allow_redirects=False, **options
        ) as response:
            return response, await response.read()

    async def get(self, path: str, /, *, token: str | None = None, **params: str) -> Json:
        headers = {"Access-Token": token} if token else {}
        response, _ = await self.request("GET", path, params=params, headers=headers)
        assert response.status == 200
        return await _json_object(response)

    async def post(self, path: str, /, *, token: str | None = None, **body: Any) -> Json:
        headers = {"Access-Token": token} if token else {}
        response, _ = await self.request("POST", path, json=body, headers=headers)
        assert response.status == 200
        return await _json_object(response)

    async def post_form(self, path: str, /, **fields: str) -> Json:
        response, _ = await self.request("POST", path, data=fields)
        assert response.status == 200
        return await _json_object(response)

    async def call_open_api(
        self, method: str, path: str, token: str, **options: Any
    ) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {token}"}
        response, _ = await self.request(method, path, headers=headers, **options)
        return response.status, await _json_object(response)

    async def control(self, name: str, /, **body: Any) -> Json:
        return await self.post(f"/_sim/{name}", **body)

    async def stats(self) -> Json:
        return await self.get("/_sim/stats")

    async def consent(self, family: str = "marketing", **fields: Any) -> str:
        """Consents without a page, and returns the authorization code."""
        app = LOGIN_KIT_APP if family == "login_kit" else BUSINESS_APP
        response = await self.control("consent", **{"family": family, "app": app.id, **fields})
        return str(response["code"])

    async def exchange_marketing(self, code: str, **changes: Any) -> Json:
        body = {
            "app_id": BUSINESS_APP.id,
            "secret": BUSINESS_APP.secret,
            "auth_code": code,
            **changes,
        }
        return await self.post("/open_api/v1.3/oauth2/access_token/", **body)

    async def redeemed_advertiser_ids(self, code: str) -> list[Any]:
        ids: list[Any] = (await self.exchange_marketing(code))["data"]["advertiser_ids"]
        return ids

    async def marketing_token(self, **consent: Any) -> str:
        code = await self.consent(**consent)
        return str((await self.exchange_marketing(code))["data"]["access_token"])

    async def exchange_accounts(self, code: str, **changes: Any) -> Json:
        body = {
            "client_id": BUSINESS_APP.id,
            "client_secret": BUSINESS_APP.secret,
            "grant_type": "authorization_code",
            "auth_code": code,
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
        return await self.post("/open_api/v1.3/tt_user/oauth2/token/", **body)

    async def accounts_tokens(self, **consent: Any) -> Json:
        response = await self.exchange_accounts(await self.consent("accounts", **consent))
        tokens: Json = response["data"]
        return tokens

    async def refresh_accounts(self, refresh_token: str) -> Json:
        return await self.post(
            "/open_api/v1.3/tt_user/oauth2/refresh_token/",
            client_id=BUSINESS_APP.id,
            client_secret=BUSINESS_APP.secret,
            grant_type="refresh_token",
            refresh_token=refresh_token,
        )

    async def exchange_login_kit(self, code: str, **changes: str) -> Json:
        fields = {
            "client_key": LOGIN_KIT_APP.id,
            "client_secret": LOGIN_KIT_APP.secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
        return await self.post_form("/v2/oauth/token/", **fields)

    async def login_kit_tokens(self, **consent: Any) -> Json:
        return await self.exchange_login_kit(await self.consent("login_kit", **consent))

    async def refresh_login_kit(self, refresh_token: str) -> Json:
        return await self.post_form(
            "/v2/oauth/token/",
            client_key=LOGIN_KIT_APP.id,
            client_secret=LOGIN_KIT_APP.secret,
            grant_type="refresh_token",
            refresh_token=refresh_token,
        )


async def _json_object(response: ClientResponse) -> Json:
    body: Json = await response.json()
    return body


def hex_challenge(code_verifier: str) -> str:
    return hashlib.sha256(code_verifier.encode()).hexdigest()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    clock = ManualClock()
    application = build_simulator(now=clock, apps=[BUSINESS_APP, LOGIN_KIT_APP])
    async with serve_application(application) as origin, ClientSession() as http:
        yield Client(origin, application[STATE], clock, http)
