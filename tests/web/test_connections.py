"""Connections as they are shown, and what may be done with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from connector.model import UserId
from tests.houses import AS_SERVER
from tests.people import ANNA

from .conftest import Site

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
NOON = "2026-11-20T12:00:00.000000+00:00"


async def test_a_connection_is_shown_whole_and_without_a_token(anywhere: Site) -> None:
    advertisers = [{"id": "7533163835474346001", "name": "Adlane EU"}]
    id = (await anywhere.connected(advertisers=advertisers))["connection_id"]
    said = (await anywhere.get(f"/connections/{id}", anywhere.user())).said
    next_check_at, scopes = said.pop("next_check_at"), said.pop("scopes")
    assert datetime.fromisoformat(next_check_at) > datetime.fromisoformat(NOON)
    assert "7533163835474346001" in scopes
    assert said.pop("subject")
    assert said == {
        "id": id,
        "user_id": ANNA,
        "family": "marketing",
        "title": "TikTok Ads",
        "status": "active",
        "advertiser": advertisers[0],
        "advertiser_lost": False,
        "account": None,
        "expires_at": None,
        "refresh_expires_at": None,
        "verified_at": NOON,
        "failure": None,
        "connected_at": NOON,
        "created_at": NOON,
        "updated_at": NOON,
        "advertisers": advertisers,
    }


async def test_a_profile_is_the_account_of_its_connection(site: Site) -> None:
    id = (await site.connected(family="login_kit"))["connection_id"]
    said = (await site.get(f"/connections/{id}", site.user())).said
    assert said["account"]["id"]
    assert (said["advertiser"], said["advertisers"]) == (None, [])
    assert said["expires_at"] == "2026-11-20T14:00:00.000000+00:00"


async def test_a_user_sees_their_own_and_a_server_everybodys(site: Site) -> None:
    ids = {user: (await site.connected(user_id=user))["connection_id"] for user in (ANNA, BEN)}

    async def seen(headers: dict[str, str], query: str = "") -> set[str]:
        listed = (await site.get(f"/connections{query}", headers)).said["connections"]
        return {connection["id"] for connection in listed}

    assert await seen(site.user(ANNA)) == await seen(site.user(ANNA), f"?user_id={ANNA}")
    assert await seen(site.user(ANNA)) == {ids[ANNA]}
    assert await seen(AS_SERVER) == set(ids.values())
    assert await seen(AS_SERVER, f"?user_id={BEN}") == {ids[BEN]}
    assert await seen(AS_SERVER, "?family=login_kit") == set()
    assert (await site.get(f"/connections?user_id={BEN}", site.user(ANNA))).code == "forbidden"


async def test_a_long_list_comes_page_by_page(anywhere: Site) -> None:
    people = [UserId(f"0b5a7c1e-4d3f-4a7b-8c9d-{n:012d}") for n in range(5)]
    for person in people:
        await anywhere.connected(user_id=person)
    seen: list[str] = []
    after, pages = "", 0
    while after is not None:
        page = (await anywhere.get(f"/connections?limit=2{after}", AS_SERVER)).said
        seen += [connection["user_id"] for connection in page["connections"]]
        after, pages = page["next"] and f"&after={page['next']}", pages + 1
    assert (pages, sorted(seen)) == (3, sorted(people))


@pytest.mark.parametrize(
    ("query", "named"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("after=x", "after"), ("family=shop", "family")],
)
async def test_a_wrong_question_is_told_by_name(site: Site, query: str, named: str) -> None:
    answer = await site.get(f"/connections?{query}", site.user())
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.said["error"].startswith(named)


async def test_a_refresh_answers_the_connection_as_it_is_then(anywhere: Site) -> None:
    id = (await anywhere.connected(family="login_kit"))["connection_id"]
    anywhere.simulator.clock.turn(60)
    said = (await anywhere.post(f"/connections/{id}/refresh", anywhere.user())).said
    assert said["success"] is True
    assert said["expires_at"] == "2026-11-20T14:01:00.000000+00:00"
    assert (await anywhere.simulator.stats())["refreshes"] == 1


async def test_a_user_refreshes_once_in_ten_seconds_and_a_server_as_it_likes(site: Site) -> None:
    path = f"/connections/{(await site.connected(family='login_kit'))['connection_id']}/refresh"
    assert (await site.post(path, site.user())).status == 200
    site.simulator.clock.turn(3)
    answer = await site.post(path, site.user())
    assert (answer.status, answer.code) == (429, "slow_down")
    assert answer.said["error"] == "This connection was refreshed a moment ago."
    assert answer.headers["Retry-After"] == "7"
    assert (await site.simulator.stats())["refreshes"] == 1
    assert (await site.post(path, AS_SERVER)).status == 200
    site.simulator.clock.turn(10)
    assert (await site.post(path, site.user())).status == 200
    assert (await site.simulator.stats())["refreshes"] == 3


async def test_a_refresh_that_failed_is_not_hurried_either(site: Site) -> None:
    path = f"/connections/{(await site.connected())['connection_id']}/refresh"
    await site.simulator.fault("advertiser/get", "code", 40002)
    statuses = [(await site.post(path, site.user())).status for _ in range(2)]
    assert statuses == [502, 429]
    assert (await site.post(path, site.user(BEN))).status == 404


async def test_a_connection_that_has_ended_says_so_at_once(site: Site) -> None:
    id = (await site.connected(person="anna"))["connection_id"]
    await site.simulator.post("/_sim/revoke", {"person": "anna"})
    codes = [(await site.post(f"/connections/{id}/refresh", site.user())).code for _ in range(2)]
    assert codes == ["reconnect_required"] * 2


async def test_a_disconnect_is_answered_the_same_again(anywhere: Site) -> None:
    id = (await anywhere.connected())["connection_id"]
    answers = [
        await anywhere.call("DELETE", f"/connections/{id}", headers=anywhere.user())
        for _ in range(2)
    ]
    assert answers[0].said == answers[1].said
    assert answers[0].said == {
        "success": True,
        "connection_id": id,
        "status": "revoked",
        "message": "TikTok disconnected.",
    }
    assert (await anywhere.simulator.stats())["revoked"] == 1
    assert (await anywhere.get(f"/connections/{id}/token", AS_SERVER)).code == "reconnect_required"


async def test_what_was_tried_is_told_newest_first_with_tiktoks_words(site: Site) -> None:
    id = (await site.connected())["connection_id"]
    await site.simulator.fault("advertiser/get", "code", 40002)
    await site.post(f"/connections/{id}/refresh", site.user())
    attempts = (await site.get(f"/connections/{id}/attempts", site.user())).said["attempts"]
    assert [(a["what"], a["verdict"]) for a in attempts] == [
        ("probe", "tiktok_refused"),
        ("exchange", "ok"),
    ]
    assert attempts[0]["code"] == "40002"
    assert attempts[0]["request_id"]


async def test_the_pulse_counts_by_the_hour(anywhere: Site) -> None:
    await anywhere.connected()
    anywhere.simulator.clock.turn(2 * 3600)
    await anywhere.connected(user_id=BEN, family="login_kit")

    async def beats(headers: dict[str, str], query: str = "") -> list[tuple[Any, ...]]:
        said = (await anywhere.get(f"/pulse{query}", headers)).said
        assert said["since"] < said["until"]
        return [
            (beat["hour"], beat["times"])
            for beat in said["hours"]
            if (beat["what"], beat["verdict"]) == ("exchange", "ok")
        ]

    assert await beats(AS_SERVER) == [(22, 1), (23, 1)]
    assert await beats(AS_SERVER, f"?user_id={ANNA}") == await beats(anywhere.user(ANNA))
    assert await beats(anywhere.user(BEN)) == [(23, 1)]


async def test_anybody_may_know_what_can_be_connected(site: Site) -> None:
    said = (await site.get("/families")).said
    assert said["families"] == [
        {"name": "marketing", "title": "TikTok Ads", "scopes": []},
        {
            "name": "accounts",
            "title": "TikTok business account",
            "scopes": ["user.info.basic", "video.list"],
        },
        {"name": "login_kit", "title": "TikTok", "scopes": ["user.info.basic", "video.list"]},
    ]
