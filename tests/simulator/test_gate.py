"""Faults, latency, and the log that never holds a secret."""

import asyncio
import json
from contextlib import suppress

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from connector.simulator import WORLD, build
from connector.simulator.app import serving
from connector.simulator.faults import Fault

from .conftest import ADS, KIT, Tap

EXCHANGE = "/open_api/v1.3/oauth2/access_token/"
TOKEN = "/v2/oauth/token/"


@pytest.mark.parametrize(
    "path",
    [
        EXCHANGE,
        EXCHANGE.rstrip("/"),
        f"https://business-api.tiktok.com{EXCHANGE}",
        f"POST {EXCHANGE}",
        "/open_api/",
        "access_token",
        "*",
        "",
    ],
)
async def test_a_fault_names_a_whole_path_or_any_part_of_it(tap: Tap, path: str) -> None:
    await tap.sim("faults", path=path, kind="status", value=503)
    answer, _ = await tap.call("POST", EXCHANGE, json={})
    assert answer.status == 503


async def test_a_fault_leaves_other_paths_alone(tap: Tap) -> None:
    await tap.sim("faults", path="/v2/oauth/token", kind="status")
    assert (await tap.exchange(await tap.consent()))["code"] == 0


async def test_a_fault_happens_as_often_as_it_says(tap: Tap) -> None:
    await tap.sim("faults", path=EXCHANGE, times=2, kind="code", value=50000)
    code = await tap.consent()
    assert [(await tap.exchange(code))["code"] for _ in range(3)] == [50000, 50000, 0]


async def test_a_fault_may_last_until_it_is_cleared(tap: Tap) -> None:
    await tap.sim("faults", path=EXCHANGE, times=-1, kind="code", value=40100)
    code = await tap.consent()
    assert {(await tap.exchange(code))["code"] for _ in range(5)} == {40100}
    await tap.call("DELETE", "/_sim/faults")
    assert (await tap.exchange(code))["code"] == 0


async def test_a_faulty_code_speaks_the_grammar_of_the_oauth_endpoint(tap: Tap) -> None:
    await tap.sim("faults", path=TOKEN, kind="code", value="temporarily_unavailable")
    answer = await tap.kit_refresh("any")
    assert answer["error"] == "temporarily_unavailable"
    assert "log_id" in answer


async def test_a_faulty_code_speaks_the_grammar_of_the_open_api(tap: Tap) -> None:
    await tap.sim("faults", path="/v2/user/info/", kind="code", value="internal_error")
    status, body = await tap.open("GET", "/v2/user/info/?fields=open_id", "any")
    assert (status, body["error"]["code"]) == (200, "internal_error")


async def test_drop_after_effect_does_the_work_and_cuts_the_line(tap: Tap) -> None:
    token = (await tap.kit())["refresh_token"]
    await tap.sim("faults", path=TOKEN, kind="drop_after_effect")
    with pytest.raises((ClientError, OSError)):
        await tap.kit_refresh(token)
    assert (await tap.kit_refresh(token))["error"] == "invalid_grant"
    stats = await tap.stats()
    assert stats["refresh_answers_dropped"] == 1
    assert stats["dead_refresh_token_presented"] == 1


async def test_a_hanging_call_is_seen_in_the_log_and_ends_with_its_client(tap: Tap) -> None:
    await tap.sim("faults", path=TOKEN, kind="hang")
    with pytest.raises(TimeoutError):
        await tap.call("POST", TOKEN, data={}, timeout=ClientTimeout(total=0.1))
    (line,) = (await tap.get("/_sim/log"))["calls"]
    assert line["verdict"] in ("in_flight", "hung")
    assert line["fault"] == "hang"


async def test_a_hanging_call_may_be_answered_late(tap: Tap) -> None:
    await tap.sim("faults", path=EXCHANGE, kind="hang", value=0.01)
    assert (await tap.exchange(await tap.consent()))["code"] == 0


async def test_a_hanging_call_does_not_keep_the_simulator_from_stopping() -> None:
    app = build()
    app[WORLD].faults.add(Fault(kind="hang"))
    async with ClientSession() as http:
        async with serving(app) as origin:
            hanging = asyncio.create_task(http.post(origin + TOKEN, data={}))
            await asyncio.wait({hanging}, timeout=0.1)
            assert app[WORLD].record.counts["faults"] == 1
        with suppress(ClientError):
            (await asyncio.wait_for(hanging, timeout=5)).release()


@pytest.mark.parametrize("value", ["html", "truncated", "wrong_type", None])
async def test_garbage_is_no_answer_any_api_means(tap: Tap, value: str | None) -> None:
    await tap.sim("faults", path=EXCHANGE, kind="garbage", value=value)
    answer, body = await tap.call("POST", EXCHANGE, json={})
    assert answer.status == 200
    with suppress(ValueError):
        assert not isinstance(json.loads(body), dict)


async def test_garbage_may_be_huge(tap: Tap) -> None:
    await tap.sim("faults", path=EXCHANGE, kind="garbage", value="huge")
    _, body = await tap.call("POST", EXCHANGE, json={})
    assert len(body) > 16 * 2**20


async def test_a_fault_of_no_known_kind_is_refused(tap: Tap) -> None:
    answer, body = await tap.call("POST", "/_sim/faults", json={"kind": "gremlin"})
    assert (answer.status, b"kind" in body) == (400, True)


async def test_the_log_says_when_what_and_how_it_ended(tap: Tap) -> None:
    await tap.exchange("made-up")
    (line,) = (await tap.get("/_sim/log"))["calls"]
    assert (line["at"], line["method"], line["path"]) == (tap.clock(), "POST", EXCHANGE)
    assert (line["verdict"], line["what"], line["app"]) == ("40110", "exchange", ADS.id)


async def test_the_log_holds_no_token_no_code_and_no_secret(tap: Tap) -> None:
    code = await tap.consent()
    ads = (await tap.exchange(code))["data"]["access_token"]
    await tap.get(
        "/open_api/v1.3/oauth2/advertiser/get/", token=ads, app_id=ADS.id, secret=ADS.secret
    )
    kit = await tap.kit()
    await tap.kit_refresh(kit["refresh_token"])
    _, seen = await tap.call("GET", "/_sim/log")
    for secret in (code, ads, ADS.secret, KIT.secret, kit["access_token"], kit["refresh_token"]):
        assert secret.encode() not in seen


async def test_the_log_is_cleared_and_filtered(tap: Tap) -> None:
    await tap.exchange("x")
    await tap.kit_refresh("x")
    assert len((await tap.get("/_sim/log", path="/v2/"))["calls"]) == 1
    assert len((await tap.get("/_sim/log", limit="1"))["calls"]) == 1
    await tap.call("DELETE", "/_sim/log")
    assert (await tap.get("/_sim/log"))["calls"] == []


async def test_controls_are_not_logged(tap: Tap) -> None:
    await tap.stats()
    assert (await tap.get("/_sim/log"))["calls"] == []


async def test_unknown_addresses_are_logged_but_not_counted_one_by_one(tap: Tap) -> None:
    for n in range(3):
        await tap.call("GET", f"/nowhere/{n}")
    by_path = (await tap.stats())["by_path"]
    assert list(by_path.values()) == [3]
