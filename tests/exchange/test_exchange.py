"""A code leads to a connection: once, whoever presents it and however often."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    CodeSpent,
    ConnectorError,
    InvalidRequest,
    Misconfigured,
    NoAdvertisers,
    SlowDown,
    TikTokRefused,
    TikTokUnreachable,
)
from connector.exchange import IF_USED, LEASE
from tests.houses import Simulator
from tests.people import ANNA
from tests.places import Place

from .scene import BEN, FAMILIES, Scene, at, on_sqlite


async def told(posting: Any) -> tuple[type[ConnectorError], str]:
    with pytest.raises(ConnectorError) as caught:
        await posting
    return type(caught.value), caught.value.message


@pytest.mark.parametrize("family", FAMILIES)
async def test_each_family_leads_to_a_connection(scene: Scene, family: str) -> None:
    answer = await scene.connect(family)
    row = scene.place.row("connections")
    assert (answer["success"], answer["connection_id"]) == (True, row["id"])
    assert (row["user_id"], row["family"], row["status"]) == (ANNA, family, "active")
    assert scene.exchanges == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_the_connection_has_a_token_that_works(scene: Scene, family: str) -> None:
    answer = await scene.connect(family)
    working = await scene.house.connections.token(answer["connection_id"], who="server")
    grant = scene.simulator.world.ledger.access(working.tokens.access.get_secret_value()).grant
    assert grant.family == family


async def test_one_advertiser_is_chosen_by_itself(scene: Scene) -> None:
    answer = await scene.connect(advertisers=[{"id": "7533163835474346001", "name": "Shop"}])
    assert (answer["business_id"], answer["account_id"]) == ("7533163835474346001", "Shop")
    assert not answer["selection_required"]
    row = scene.place.row("user_accounts")
    assert (row["id"], row["tiktok_business_id"]) == (ANNA, "7533163835474346001")
    assert row["tiktok_account_id"] == "Shop"


async def test_of_several_advertisers_none_is_chosen_silently(scene: Scene) -> None:
    answer = await scene.connect(advertisers=5)
    assert answer["selection_required"]
    assert (answer["business_id"], answer["account_id"]) == (None, None)
    assert len(answer["advertisers"]) == 5
    assert scene.rows("user_accounts") == []


async def test_five_thousand_advertisers_come_over_whole(scene: Scene) -> None:
    scene.simulator.world.settings.advertiser_ids_latency_ms = 3_600_000
    scene.simulator.world.settings.numeric_ids = True
    answer = await scene.connect(advertisers=5_000)
    ids = [each["id"] for each in answer["advertisers"]]
    connection = await scene.house.connections.get(answer["connection_id"], of=ANNA)
    assert len(set(ids)) == 5_000
    assert all(isinstance(id, str) and len(id) == 19 for id in ids)
    assert [account.id for account in connection.accounts] == ids


async def test_no_advertiser_at_all_is_said_plainly_and_keeps_nothing(scene: Scene) -> None:
    code, state = await scene.consent(advertisers=0), scene.state()
    first = await told(scene.post(code, state))
    assert first[0] is NoAdvertisers
    assert "Business Center" in first[1]
    assert scene.rows("connections") == scene.rows("user_accounts") == []
    assert scene.place.row("codes")["sealed"] is None


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_where_there_are_no_advertisers_nothing_is_to_be_chosen(
    scene: Scene, family: str
) -> None:
    answer = await scene.connect(family)
    assert (answer["advertisers"], answer["selection_required"]) == ([], False)
    assert scene.rows("user_accounts") == []
    connection = await scene.house.connections.get(answer["connection_id"], of=ANNA)
    assert [account.name for account in connection.accounts] != [""]


async def test_scopes_beyond_two_to_the_53_stay_as_they_are(scene: Scene) -> None:
    answer = await scene.connect(scopes=["4", "7533163835474346001"])
    connection = await scene.house.connections.get(answer["connection_id"], of=ANNA)
    assert connection.scopes == ("4", "7533163835474346001")


async def test_the_same_code_again_gets_the_same_answer_and_costs_no_call(scene: Scene) -> None:
    code, state = await scene.consent(advertisers=3), scene.state()
    first = await scene.post(code, state)
    calls = scene.calls("")
    assert await scene.post(code, state) == first
    assert scene.calls("") == calls


async def test_25_at_once_are_one_exchange(scene: Scene) -> None:
    code, state = await scene.consent(advertisers=3), scene.state()
    answers = await asyncio.gather(*(scene.post(code, state) for _ in range(25)))
    assert all(answer == answers[0] for answer in answers)
    assert scene.exchanges == 1


async def test_answers_are_each_callers_own(scene: Scene) -> None:
    code, state = await scene.consent(), scene.state()
    first, second = await asyncio.gather(scene.post(code, state), scene.post(code, state))
    first["access_token"] = "somebody's"
    assert "access_token" not in second


async def test_two_houses_on_one_store_are_one_exchange(scene: Scene, tmp_path: Path) -> None:
    code, state = await scene.consent(advertisers=3), scene.state()
    await scene.simulator.fault("advertiser/get", "hang")
    async with at(scene.place, scene.simulator, tmp_path / "second") as other:
        here = asyncio.gather(*(scene.post(code, state) for _ in range(13)))
        await scene.called("advertiser/get")
        there = asyncio.gather(*(other.post(code, state) for _ in range(12)))
        scene.simulator.world.faults.clear()
        answers = await here + await scene.passing(there)
    assert len(answers) == 25
    assert all(answer == answers[0] for answer in answers)
    assert scene.exchanges == 1


async def test_what_was_begun_is_finished_though_the_caller_goes_away(scene: Scene) -> None:
    code, state = await scene.consent(), scene.state()
    caller = asyncio.create_task(scene.post(code, state))
    await asyncio.sleep(0)
    caller.cancel()
    await scene.house.exchange.close()
    assert scene.place.row("connections")["status"] == "active"
    assert (await scene.post(code, state))["success"]
    assert scene.exchanges == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_spent_code_is_refused_and_the_refusal_repeated(scene: Scene, family: str) -> None:
    code = await scene.consent(family)
    await scene.post(code, scene.state(family))
    again = scene.state(family)
    first = await told(scene.post(code, again))
    calls = scene.calls("")
    assert await told(scene.post(code, again)) == first
    assert first[0] is CodeSpent
    assert scene.calls("") == calls


async def test_a_repeated_refusal_still_has_tiktoks_own_words(scene: Scene) -> None:
    code, state = "no-such-code", scene.state()
    for _ in range(2):
        with pytest.raises(CodeSpent) as caught:
            await scene.post(code, state)
        assert caught.value.said is not None
        assert caught.value.said.code == 40110
        assert caught.value.said.request_id


async def test_no_advertisers_is_repeated_without_a_call(scene: Scene) -> None:
    code, state = await scene.consent(advertisers=0), scene.state()
    first = await told(scene.post(code, state))
    calls = scene.calls("")
    assert await told(scene.post(code, state)) == first
    assert scene.calls("") == calls


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("status", 502, TikTokUnreachable),
        ("code", 50000, TikTokUnreachable),
        ("code", 40100, SlowDown),
        ("code", 40101, Misconfigured),
        ("code", 40105, TikTokRefused),
        ("code", 40113, Misconfigured),
        ("garbage", "html", TikTokUnreachable),
        ("garbage", "truncated", TikTokUnreachable),
    ],
)
async def test_whatever_may_pass_frees_the_claim(
    scene: Scene, kind: str, value: Any, error: type[ConnectorError]
) -> None:
    code, state = await scene.consent(), scene.state()
    await scene.simulator.fault("oauth2/access_token", kind, value)
    with pytest.raises(error):
        await scene.post(code, state)
    assert (await scene.post(code, state))["success"]


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "value"), [("status", 502), ("code", 50000), ("garbage", "html"), ("hang", None)]
)
async def test_of_a_code_whose_answer_was_lost_nothing_is_promised(
    scene: Scene, kind: str, value: Any
) -> None:
    scene.house.transport._deadline = 0.2
    await scene.simulator.fault("oauth2/access_token", kind, value)
    error, sentence = await told(scene.connect())
    assert issubclass(error, TikTokUnreachable)
    assert "Nothing is lost" not in sentence
    assert sentence.endswith(IF_USED)


async def test_a_claim_that_nobody_comes_back_for_runs_out(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    """As when the process that held it is gone for good, its disk with it."""
    async with at(place, simulator, tmp_path / "first") as scene:
        code, state = await scene.consent(), scene.state()
        await simulator.fault("oauth2/access_token", "hang")
        lost = asyncio.create_task(scene.post(code, state))
        await scene.called("oauth2/access_token")
        async with at(place, simulator, tmp_path / "second") as other:
            waiting = asyncio.create_task(other.post(code, state))
            await scene.clock.until_asleep()
            scene.clock.turn(LEASE.total_seconds())
            assert (await told(waiting))[0].code == "busy"
            assert (await other.post(code, state))["success"]
        simulator.world.faults.clear()
        assert (await told(lost))[0] is CodeSpent
        assert (await scene.post(code, state))["success"]


async def test_a_family_that_is_not_switched_on_is_refused_before_anything(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    off = {"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""}
    async with at(place, simulator, tmp_path / "first", **off) as scene:
        state = scene.state("login_kit")
        with pytest.raises(InvalidRequest):
            await scene.post(await scene.consent("login_kit"), state)
        assert scene.rows("codes") == []


async def test_the_same_tiktok_user_again_is_the_same_connection(scene: Scene) -> None:
    for family in FAMILIES:
        first = await scene.connect(family)
        assert (await scene.connect(family))["connection_id"] == first["connection_id"]
    assert [row["version"] for row in scene.rows("connections")] == [2, 2, 2]


async def test_another_tiktok_user_is_another_connection(scene: Scene) -> None:
    for family in FAMILIES:
        first = await scene.connect(family, person="mia")
        assert (await scene.connect(family, person="noah"))["connection_id"] != first[
            "connection_id"
        ]
    assert len(scene.rows("connections")) == 6


async def test_one_tiktok_user_may_be_connected_by_two_of_ours(scene: Scene) -> None:
    first, second = await scene.connect(), await scene.connect(user_id=BEN)
    assert first["connection_id"] != second["connection_id"]
    assert {row["id"] for row in scene.rows("user_accounts")} == {ANNA, BEN}


async def test_every_exchange_is_written_in_the_log(scene: Scene) -> None:
    await told(scene.post("no-such-code", scene.state()))
    answer = await scene.connect()
    attempts = await scene.house.connections.attempts(answer["connection_id"], of=ANNA)
    assert [(a.what, a.who, a.verdict) for a in attempts] == [("exchange", "person", "ok")]
    assert [row["verdict"] for row in scene.rows("attempts")] == ["code_spent", "ok"]
