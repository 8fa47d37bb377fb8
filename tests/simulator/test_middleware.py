"""Each kind of fault, and how a fault selects its calls."""

import asyncio
import json
from contextlib import suppress

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from tiktok_simulator import STATE, build_simulator, serve_application
from tiktok_simulator.faults import Fault

from .conftest import Client

EXCHANGE_PATH = "/open_api/v1.3/oauth2/access_token/"
TOKEN_PATH = "/v2/oauth/token/"


@pytest.mark.parametrize(
    "path",
    [
        EXCHANGE_PATH,
        EXCHANGE_PATH.rstrip("/"),
        f"https://business-api.tiktok.com{EXCHANGE_PATH}",
        f"POST {EXCHANGE_PATH}",
        "/open_api/",
        "access_token",
        "*",
        "",
    ],
)
async def test_a_fault_matches_a_whole_path_or_any_part_of_it(client: Client, path: str) -> None:
    await client.control("faults", path=path, kind="status", value=503)
    response, _ = await client.request("POST", EXCHANGE_PATH, json={})
    assert response.status == 503


async def test_a_fault_does_not_affect_other_paths(client: Client) -> None:
    await client.control("faults", path="/v2/oauth/token", kind="status")
    assert (await client.exchange_marketing(await client.consent()))["code"] == 0


async def test_a_fault_is_applied_as_often_as_requested(client: Client) -> None:
    await client.control("faults", path=EXCHANGE_PATH, times=2, kind="code", value=50000)
    code = await client.consent()
    assert [(await client.exchange_marketing(code))["code"] for _ in range(3)] == [50000, 50000, 0]


async def test_a_fault_can_last_until_it_is_cleared(client: Client) -> None:
    await client.control("faults", path=EXCHANGE_PATH, times=-1, kind="code", value=40100)
    code = await client.consent()
    assert {(await client.exchange_marketing(code))["code"] for _ in range(5)} == {40100}
    await client.request("DELETE", "/_sim/faults")
    assert (await client.exchange_marketing(code))["code"] == 0


async def test_a_code_fault_uses_the_format_of_the_oauth_endpoint(client: Client) -> None:
    await client.control("faults", path=TOKEN_PATH, kind="code", value="temporarily_unavailable")
    response = await client.refresh_login_kit("any")
    assert response["error"] == "temporarily_unavailable"
    assert "log_id" in response


async def test_a_code_fault_uses_the_format_of_the_open_api(client: Client) -> None:
    await client.control("faults", path="/v2/user/info/", kind="code", value="internal_error")
    status, body = await client.call_open_api("GET", "/v2/user/info/?fields=open_id", "any")
    assert (status, body["error"]["code"]) == (200, "internal_error")


async def test_drop_after_effect_executes_the_call_and_closes_the_connection(
    client: Client,
) -> None:
    token = (await client.login_kit_tokens())["refresh_token"]
    await client.control("faults", path=TOKEN_PATH, kind="drop_after_effect")
    with pytest.raises((ClientError, OSError)):
        await client.refresh_login_kit(token)
    assert (await client.refresh_login_kit(token))["error"] == "invalid_grant"
    stats = await client.stats()
    assert stats["refresh_answers_dropped"] == 1
    assert stats["dead_refresh_token_presented"] == 1


async def test_the_log_shows_a_call_that_hangs_until_its_client_disconnects(client: Client) -> None:
    await client.control("faults", path=TOKEN_PATH, kind="hang")
    with pytest.raises(TimeoutError):
        await client.request("POST", TOKEN_PATH, data={}, timeout=ClientTimeout(total=0.1))
    (line,) = (await client.get("/_sim/log"))["calls"]
    assert line["verdict"] in ("in_flight", "hung")
    assert line["fault"] == "hang"


async def test_a_hanging_call_can_get_a_late_response(client: Client) -> None:
    await client.control("faults", path=EXCHANGE_PATH, kind="hang", value=0.01)
    assert (await client.exchange_marketing(await client.consent()))["code"] == 0


async def test_a_hanging_call_does_not_prevent_the_simulator_from_stopping() -> None:
    simulator = build_simulator()
    simulator[STATE].faults.add(Fault(kind="hang"))
    async with ClientSession() as http:
        async with serve_application(simulator) as origin:
            hanging_call = asyncio.create_task(http.post(origin + TOKEN_PATH, data={}))
            await asyncio.wait({hanging_call}, timeout=0.1)
            assert simulator[STATE].call_log.counts["faults"] == 1
        with suppress(ClientError):
            (await asyncio.wait_for(hanging_call, timeout=5)).release()


@pytest.mark.parametrize("value", ["html", "truncated", "wrong_type", None])
async def test_a_garbage_response_is_not_a_json_object(client: Client, value: str | None) -> None:
    await client.control("faults", path=EXCHANGE_PATH, kind="garbage", value=value)
    response, body = await client.request("POST", EXCHANGE_PATH, json={})
    assert response.status == 200
    with suppress(ValueError):
        assert not isinstance(json.loads(body), dict)


async def test_a_garbage_response_can_be_huge(client: Client) -> None:
    await client.control("faults", path=EXCHANGE_PATH, kind="garbage", value="huge")
    _, body = await client.request("POST", EXCHANGE_PATH, json={})
    assert len(body) > 16 * 2**20


async def test_a_fault_of_an_unknown_kind_is_refused(client: Client) -> None:
    response, body = await client.request("POST", "/_sim/faults", json={"kind": "unknown"})
    assert (response.status, b"kind" in body) == (400, True)
