"""Connections as the API shows them, and what users and servers may do with them."""

from __future__ import annotations

from datetime import datetime

from connector.model import UserId
from tests.credentials import ANNA
from tests.running_service import AS_SERVER

from .conftest import Harness

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
NOON = "2026-11-20T12:00:00.000000+00:00"


async def test_a_connection_is_returned_with_all_its_fields_and_without_a_token(
    each_store: Harness,
) -> None:
    advertisers = [{"id": "7533163835474346001", "name": "Adlane EU"}]
    connection_id = (await each_store.connect(advertisers=advertisers))["connection_id"]
    payload = (await each_store.get(f"/connections/{connection_id}", each_store.as_user())).json
    next_check_at, scopes = payload.pop("next_check_at"), payload.pop("scopes")
    assert datetime.fromisoformat(next_check_at) > datetime.fromisoformat(NOON)
    assert "7533163835474346001" in scopes
    assert payload.pop("tiktok_user_id")
    assert payload == {
        "id": connection_id,
        "user_id": ANNA,
        "family": "marketing",
        "family_title": "TikTok Ads",
        "has_advertisers": True,
        "status": "active",
        "is_active": True,
        "is_ended": False,
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


async def test_the_profile_of_a_login_kit_connection_is_its_account(harness: Harness) -> None:
    connection_id = (await harness.connect(family="login_kit"))["connection_id"]
    payload = (await harness.get(f"/connections/{connection_id}", harness.as_user())).json
    assert payload["account"]["id"]
    assert (payload["advertiser"], payload["advertisers"]) == (None, [])
    assert payload["has_advertisers"] is False
    assert payload["expires_at"] == "2026-11-20T14:00:00.000000+00:00"


async def test_a_refresh_returns_the_refreshed_connection(each_store: Harness) -> None:
    connection_id = (await each_store.connect(family="login_kit"))["connection_id"]
    each_store.simulator.clock.advance(60)
    payload = (
        await each_store.post(f"/connections/{connection_id}/refresh", each_store.as_user())
    ).json
    assert payload["success"] is True
    assert payload["expires_at"] == "2026-11-20T14:01:00.000000+00:00"
    assert (await each_store.simulator.stats())["refreshes"] == 1


async def test_a_user_may_refresh_once_in_ten_seconds_and_a_server_at_any_time(
    harness: Harness,
) -> None:
    path = f"/connections/{(await harness.connect(family='login_kit'))['connection_id']}/refresh"
    assert (await harness.post(path, harness.as_user())).status == 200
    harness.simulator.clock.advance(3)
    response = await harness.post(path, harness.as_user())
    assert (response.status, response.code) == (429, "slow_down")
    assert response.json["error"] == "This connection was refreshed a moment ago."
    assert response.headers["Retry-After"] == "7"
    assert (await harness.simulator.stats())["refreshes"] == 1
    assert (await harness.post(path, AS_SERVER)).status == 200
    harness.simulator.clock.advance(10)
    assert (await harness.post(path, harness.as_user())).status == 200
    assert (await harness.simulator.stats())["refreshes"] == 3


async def test_a_failed_refresh_also_counts_for_the_limit_of_a_user(harness: Harness) -> None:
    path = f"/connections/{(await harness.connect())['connection_id']}/refresh"
    await harness.simulator.fault("advertiser/get", "code", 40002)
    statuses = [(await harness.post(path, harness.as_user())).status for _ in range(2)]
    assert statuses == [502, 429]
    assert (await harness.post(path, harness.as_user(BEN))).status == 404


async def test_a_replica_whose_clock_is_ahead_makes_a_user_wait_no_longer_than_the_interval(
    harness: Harness,
) -> None:
    path = f"/connections/{(await harness.connect(family='login_kit'))['connection_id']}/refresh"
    harness.simulator.clock.advance(600)
    assert (await harness.post(path, AS_SERVER)).status == 200
    harness.simulator.clock.advance(-600)
    response = await harness.post(path, harness.as_user())
    assert (response.status, response.headers["Retry-After"]) == (429, "10")


async def test_refreshing_an_ended_connection_is_refused_without_waiting_for_the_limit(
    harness: Harness,
) -> None:
    connection_id = (await harness.connect(person="anna"))["connection_id"]
    await harness.simulator.post("/_sim/revoke", {"person": "anna"})
    codes = [
        (await harness.post(f"/connections/{connection_id}/refresh", harness.as_user())).code
        for _ in range(2)
    ]
    assert codes == ["reconnect_required"] * 2


async def test_a_repeated_disconnect_returns_the_same_response(each_store: Harness) -> None:
    connection_id = (await each_store.connect())["connection_id"]
    responses = [
        await each_store.call(
            "DELETE", f"/connections/{connection_id}", headers=each_store.as_user()
        )
        for _ in range(2)
    ]
    assert responses[0].json == responses[1].json
    assert responses[0].json == {
        "success": True,
        "connection_id": connection_id,
        "status": "revoked",
        "message": "TikTok disconnected.",
    }
    assert (await each_store.simulator.stats())["revoked"] == 1
    assert (
        await each_store.get(f"/connections/{connection_id}/token", AS_SERVER)
    ).code == "reconnect_required"


async def test_attempts_are_listed_newest_first_with_tiktoks_error_code_and_request_id(
    harness: Harness,
) -> None:
    connection_id = (await harness.connect())["connection_id"]
    await harness.simulator.fault("advertiser/get", "code", 40002)
    await harness.post(f"/connections/{connection_id}/refresh", harness.as_user())
    attempts = (
        await harness.get(f"/connections/{connection_id}/attempts", harness.as_user())
    ).json["attempts"]
    assert [(a["operation"], a["result"]) for a in attempts] == [
        ("probe", "tiktok_refused"),
        ("exchange", "ok"),
    ]
    assert attempts[0]["tiktok_code"] == "40002"
    assert attempts[0]["request_id"]


async def test_the_activity_is_counted_by_hour_in_the_callers_scope(each_store: Harness) -> None:
    await each_store.connect()
    each_store.simulator.clock.advance(2 * 3600)
    await each_store.connect(user_id=BEN, family="login_kit")

    async def exchanges(headers: dict[str, str], query: str = "") -> list[tuple[int, int]]:
        activity = (await each_store.get(f"/activity{query}", headers)).json
        assert activity["since"] == "2026-11-19T15:00:00.000000+00:00"
        return [
            (count["hour"], count["count"])
            for count in activity["hours"]
            if (count["operation"], count["result"]) == ("exchange", "ok")
        ]

    assert await exchanges(AS_SERVER) == [(21, 1), (23, 1)]
    assert await exchanges(AS_SERVER, f"?user_id={ANNA}") == await exchanges(
        each_store.as_user(ANNA)
    )
    assert await exchanges(each_store.as_user(BEN)) == [(23, 1)]


async def test_the_configured_families_are_listed_without_credentials(harness: Harness) -> None:
    payload = (await harness.get("/families")).json
    assert payload["families"] == [
        {"name": "marketing", "title": "TikTok Ads", "scopes": [], "has_advertisers": True},
        {
            "name": "accounts",
            "title": "TikTok business account",
            "scopes": ["user.info.basic", "video.list"],
            "has_advertisers": False,
        },
        {
            "name": "login_kit",
            "title": "TikTok",
            "scopes": ["user.info.basic", "video.list"],
            "has_advertisers": False,
        },
    ]
