"""`serve --hold` uses no token and no code: reads work, and everything else is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.app import Service
from connector.settings import Settings
from tests.running_service import (
    AS_SERVER,
    Json,
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
)

HOUR = 3600.0


class HeldService:
    """A service that was connected to one account, and was then started with --hold."""

    def __init__(self, url: str, http: ClientSession, connection_id: str) -> None:
        self._url = url
        self._http = http
        self.connection = f"/connections/{connection_id}"

    async def request(self, method: str, path: str, **options: object) -> tuple[int, Json]:
        url, headers = self._url + path, AS_SERVER
        async with self._http.request(method, url, headers=headers, **options) as response:  # type: ignore[arg-type]  # options of aiohttp
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else {}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def settings(tmp_path: Path, simulator: Simulator) -> Settings:
    return settings_for(tmp_path, simulator.url)


@pytest.fixture
async def held(simulator: Simulator, settings: Settings) -> AsyncIterator[HeldService]:
    async with serving(Service.build(settings, clock=simulator.clock)) as url:
        reply = await connect_account(simulator.http, url, simulator, family="login_kit")
    simulator.state.call_log.clear_calls()
    held = Service.build(settings, clock=simulator.clock, hold=True)
    async with serving(held) as url:
        simulator.clock.advance(1)  # A background would start now.
        yield HeldService(url, simulator.http, reply["connection_id"])
    assert simulator.state.call_log.calls(path="/v2/") == []


async def test_a_valid_token_and_the_pages_are_read_on_hold(held: HeldService) -> None:
    assert (await held.request("GET", f"{held.connection}/token"))[0] == 200
    for path in ("/status", "/connect", "/connections", held.connection, "/metrics", "/healthz"):
        assert (await held.request("GET", path))[0] == 200


async def test_an_old_token_is_returned_on_hold_until_it_expires_and_then_the_read_is_busy(
    held: HeldService, simulator: Simulator
) -> None:
    simulator.clock.advance(2 * HOUR - 60)
    assert (await held.request("GET", f"{held.connection}/token"))[0] == 200
    simulator.clock.advance(HOUR)
    status, body = await held.request("GET", f"{held.connection}/token")
    assert (status, body["code"], body["retryable"]) == (503, "busy", True)
    assert "--hold" in body["error"]


async def test_everything_that_could_use_a_token_or_a_code_is_refused_on_hold(
    held: HeldService,
) -> None:
    body = {"user_id": str(uuid4()), "code": "code", "state": "state", "advertiser_id": "1"}
    for method, path in (
        ("POST", "/oauth/start"),
        ("GET", "/oauth/start"),
        ("POST", "/oauth/exchange"),
        ("POST", "/advertisers/select"),
        ("POST", f"{held.connection}/refresh"),
        ("DELETE", held.connection),
        ("POST", "/webhooks/tiktok"),  # TikTok repeats a webhook for 72 hours.
    ):
        status, reply = await held.request(method, path, json=body)
        assert (status, reply["code"]) == (503, "busy"), path
    assert (await held.request("GET", held.connection))[1]["status"] == "active"


async def test_an_operator_can_make_a_ticket_on_hold(held: HeldService) -> None:
    assert (await held.request("POST", "/tickets", json={"user_id": str(uuid4())}))[0] == 200


async def test_readyz_and_the_metrics_warn_on_hold(
    held: HeldService, simulator: Simulator, settings: Settings
) -> None:
    status, body = await held.request("GET", "/readyz")
    assert (status, body["status"]) == (200, "ready")
    assert [warning["kind"] for warning in body["warnings"]] == ["hold"]
    assert "--hold" in body["warnings"][0]["message"]
    async with simulator.http.get(f"{held._url}/metrics", headers=AS_SERVER) as response:
        assert 'connector_warnings{kind="hold"} 1.0' in await response.text()
