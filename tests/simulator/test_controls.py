"""The controls take what they are given in any of TikTok's spellings."""

import pytest

from .conftest import ADS, KIT, Tap


@pytest.mark.parametrize("name", ["id", "app_id", "client_key", "client_id", "key", "app"])
async def test_an_app_is_registered_under_any_of_its_names(tap: Tap, name: str) -> None:
    await tap.sim("apps", **{name: 4711, "secret": "s"})
    code = await tap.consent(app=4711)
    assert (await tap.exchange(code, app_id="4711", secret="s"))["code"] == 0


async def test_apps_are_listed_without_their_secrets(tap: Tap) -> None:
    _, body = await tap.call("GET", "/_sim/apps")
    assert ADS.id.encode() in body
    assert ADS.secret.encode() not in body


async def test_registering_an_app_again_changes_its_secret(tap: Tap) -> None:
    await tap.sim("apps", id=ADS.id, secret="newer")
    code = await tap.consent()
    assert (await tap.exchange(code))["code"] == 40101
    assert (await tap.exchange(code, secret="newer"))["code"] == 0


async def test_a_consent_for_an_unregistered_app_is_refused_with_the_remedy(tap: Tap) -> None:
    answer, body = await tap.call("POST", "/_sim/consent", json={"app": "404"})
    assert (answer.status, b"/_sim/apps" in body) == (400, True)


async def test_a_consent_answers_the_code_under_both_names(tap: Tap) -> None:
    given = await tap.sim("consent", app=ADS.id)
    assert given["code"] == given["auth_code"]


async def test_a_larger_number_of_advertisers_only_adds_to_them(tap: Tap) -> None:
    few = (await tap.exchange(await tap.consent(advertisers=2)))["data"]["advertiser_ids"]
    many = (await tap.exchange(await tap.consent(advertisers=5_000)))["data"]["advertiser_ids"]
    assert many[:2] == few
    assert len(set(many)) == 5_000


@pytest.mark.parametrize("none", [0, []], ids=str)
async def test_no_advertisers_are_granted_on_request(tap: Tap, none: object) -> None:
    answer = await tap.exchange(await tap.consent(advertisers=none))
    assert answer["data"]["advertiser_ids"] == []


async def test_granted_advertisers_change_afterwards(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=["71", "72"])
    await tap.sim("advertisers", access_token=token, advertisers=["72"])
    answer = await tap.get(
        "/open_api/v1.3/oauth2/advertiser/get/", token=token, app_id=ADS.id, secret=ADS.secret
    )
    assert [row["advertiser_id"] for row in answer["data"]["list"]] == ["72"]


async def test_the_clock_advances_and_tells_the_time(tap: Tap) -> None:
    before = await tap.get("/_sim/clock")
    after = await tap.sim("clock", advance=90)
    assert after["now"] - before["now"] == 90


async def test_settings_are_merged_and_shown(tap: Tap) -> None:
    await tap.sim("settings", access_seconds=60)
    await tap.sim("settings", rotation="none")
    settings = await tap.get("/_sim/settings")
    assert (settings["access_seconds"], settings["rotation"]) == (60, "none")


async def test_a_setting_nobody_knows_is_said_to_be_ignored(tap: Tap) -> None:
    assert (await tap.sim("settings", weather="fine"))["ignored"] == ["weather"]


async def test_a_wrong_setting_changes_nothing(tap: Tap) -> None:
    wrong = {"access_seconds": 60, "rotation": "sometimes"}
    answer, _ = await tap.call("POST", "/_sim/settings", json=wrong)
    assert answer.status == 400
    assert (await tap.get("/_sim/settings"))["access_seconds"] is None


@pytest.mark.parametrize("name", ["open_id", "access_token", "refresh_token"])
async def test_a_person_withdraws_by_id_or_by_token(tap: Tap, name: str) -> None:
    tokens = await tap.kit()
    assert (await tap.sim("revoke", **{name: tokens[name]}))["revoked"] == 1
    status, _ = await tap.open("GET", "/v2/user/info/?fields=open_id", tokens["access_token"])
    assert status == 401
    assert (await tap.kit_refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


async def test_withdrawing_from_one_app_leaves_the_other_alone(tap: Tap) -> None:
    kit, account = await tap.kit(), await tap.account()
    await tap.sim("revoke", open_id=kit["open_id"])
    assert (await tap.account_refresh(account["refresh_token"]))["code"] == 0


async def test_withdrawing_by_a_name_nobody_has_is_refused(tap: Tap) -> None:
    answer, _ = await tap.call("POST", "/_sim/revoke", json={"open_id": "nobody"})
    assert answer.status == 400


async def test_stats_count_what_lives(tap: Tap) -> None:
    token = (await tap.kit())["refresh_token"]
    await tap.kit_refresh(token)
    await tap.ads_token()
    stats = await tap.stats()
    assert (stats["grants"], stats["exchanges"], stats["refreshes"]) == (2, 2, 1)
    assert (stats["live_access_tokens"], stats["live_refresh_tokens"]) == (3, 1)


async def test_reset_forgets_everything_but_the_apps(tap: Tap) -> None:
    await tap.sim("settings", rotation="none", latency_ms=1)
    await tap.sim("faults", kind="status", times=-1)
    await tap.sim("clock", advance=90)
    await tap.sim("reset")
    assert (await tap.get("/_sim/settings"))["rotation"] == "strict"
    assert (await tap.get("/_sim/clock"))["now"] == tap.clock()
    assert (await tap.stats())["calls"] == 0
    assert "access_token" in await tap.kit()


async def test_a_list_registers_several_apps(tap: Tap) -> None:
    answer, _ = await tap.call(
        "POST", "/_sim/apps", json=[{"id": "1", "secret": "a"}, {"id": "2", "secret": "b"}]
    )
    apps = (await answer.json())["apps"]
    assert {app["id"] for app in apps} == {ADS.id, KIT.id, "1", "2"}


async def test_what_is_not_json_is_refused(tap: Tap) -> None:
    answer, body = await tap.call("POST", "/_sim/consent", data=b"{")
    assert (answer.status, b"not JSON" in body) == (400, True)
