"""The controls accept each name that a TikTok API uses for a field."""

import pytest

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, Client


@pytest.mark.parametrize("name", ["id", "app_id", "client_key", "client_id", "key", "app"])
async def test_an_app_can_be_registered_with_each_name_of_its_id(client: Client, name: str) -> None:
    await client.control("apps", **{name: 4711, "secret": "s"})
    code = await client.consent(app=4711)
    assert (await client.exchange_marketing(code, app_id="4711", secret="s"))["code"] == 0


async def test_apps_are_listed_without_their_secrets(client: Client) -> None:
    _, body = await client.request("GET", "/_sim/apps")
    assert BUSINESS_APP.id.encode() in body
    assert BUSINESS_APP.secret.encode() not in body


async def test_registering_an_app_again_changes_its_secret(client: Client) -> None:
    await client.control("apps", id=BUSINESS_APP.id, secret="newer")
    code = await client.consent()
    assert (await client.exchange_marketing(code))["code"] == 40101
    assert (await client.exchange_marketing(code, secret="newer"))["code"] == 0


async def test_a_consent_for_an_unregistered_app_is_refused_with_the_remedy(client: Client) -> None:
    response, body = await client.request("POST", "/_sim/consent", json={"app": "404"})
    assert (response.status, b"/_sim/apps" in body) == (400, True)


async def test_a_consent_returns_the_code_under_both_names(client: Client) -> None:
    response = await client.control("consent", app=BUSINESS_APP.id)
    assert response["code"] == response["auth_code"]


async def test_a_larger_number_of_advertisers_only_adds_advertisers(client: Client) -> None:
    two_ids = await client.redeemed_advertiser_ids(await client.consent(advertisers=2))
    many_ids = await client.redeemed_advertiser_ids(await client.consent(advertisers=5_000))
    assert many_ids[:2] == two_ids
    assert len(set(many_ids)) == 5_000


@pytest.mark.parametrize("advertisers", [0, []], ids=str)
async def test_a_consent_can_grant_no_advertisers(client: Client, advertisers: object) -> None:
    code = await client.consent(advertisers=advertisers)
    assert await client.redeemed_advertiser_ids(code) == []


async def test_the_advertisers_of_a_grant_can_be_changed(client: Client) -> None:
    token = await client.marketing_token(advertisers=["71", "72"])
    await client.control("advertisers", access_token=token, advertisers=["72"])
    response = await client.get(
        "/open_api/v1.3/oauth2/advertiser/get/",
        token=token,
        app_id=BUSINESS_APP.id,
        secret=BUSINESS_APP.secret,
    )
    assert [row["advertiser_id"] for row in response["data"]["list"]] == ["72"]


async def test_the_clock_can_be_advanced_and_read(client: Client) -> None:
    before = await client.get("/_sim/clock")
    after = await client.control("clock", advance=90)
    assert after["now"] - before["now"] == 90


async def test_new_settings_are_merged_with_earlier_ones(client: Client) -> None:
    await client.control("settings", access_seconds=60)
    await client.control("settings", rotation="none")
    settings = await client.get("/_sim/settings")
    assert (settings["access_seconds"], settings["rotation"]) == (60, "none")


async def test_an_unknown_setting_is_reported_as_ignored(client: Client) -> None:
    assert (await client.control("settings", color="red"))["ignored"] == ["color"]


async def test_an_invalid_setting_changes_nothing(client: Client) -> None:
    settings = {"access_seconds": 60, "rotation": "sometimes"}
    response, _ = await client.request("POST", "/_sim/settings", json=settings)
    assert response.status == 400
    assert (await client.get("/_sim/settings"))["access_seconds"] is None


@pytest.mark.parametrize("name", ["open_id", "access_token", "refresh_token"])
async def test_a_person_can_disconnect_by_id_or_by_token(client: Client, name: str) -> None:
    tokens = await client.login_kit_tokens()
    assert (await client.control("revoke", **{name: tokens[name]}))["revoked"] == 1
    status, _ = await client.call_open_api(
        "GET", "/v2/user/info/?fields=open_id", tokens["access_token"]
    )
    assert status == 401
    assert (await client.refresh_login_kit(tokens["refresh_token"]))["error"] == "invalid_grant"


async def test_disconnecting_one_app_does_not_affect_another_app(client: Client) -> None:
    login_kit, accounts = await client.login_kit_tokens(), await client.accounts_tokens()
    await client.control("revoke", open_id=login_kit["open_id"])
    assert (await client.refresh_accounts(accounts["refresh_token"]))["code"] == 0


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
async def test_disconnecting_by_a_token_ends_every_grant_of_that_app_and_person(
    client: Client, name: str
) -> None:
    first, second = await client.login_kit_tokens(), await client.login_kit_tokens()
    other_person = await client.login_kit_tokens(person="sam")
    assert (await client.control("revoke", **{name: first[name]}))["revoked"] == 2
    assert (await client.refresh_login_kit(second["refresh_token"]))["error"] == "invalid_grant"
    assert "access_token" in await client.refresh_login_kit(other_person["refresh_token"])


async def test_an_app_can_register_at_most_ten_redirect_uris(client: Client) -> None:
    uris = [f"https://customer.example/{n}" for n in range(11)]
    for count, status in ((10, 200), (11, 400)):
        app = {"id": "7", "secret": "s", "redirect_uris": uris[:count]}
        assert (await client.request("POST", "/_sim/apps", json=app))[0].status == status


async def test_disconnecting_an_unknown_person_is_refused(client: Client) -> None:
    response, _ = await client.request("POST", "/_sim/revoke", json={"open_id": "nobody"})
    assert response.status == 400


async def test_stats_count_grants_and_valid_tokens(client: Client) -> None:
    token = (await client.login_kit_tokens())["refresh_token"]
    await client.refresh_login_kit(token)
    await client.marketing_token()
    stats = await client.stats()
    assert (stats["grants"], stats["exchanges"], stats["refreshes"]) == (2, 2, 1)
    assert (stats["live_access_tokens"], stats["live_refresh_tokens"]) == (3, 1)


async def test_reset_clears_everything_except_the_apps(client: Client) -> None:
    await client.control("settings", rotation="none", latency_ms=1)
    await client.control("faults", kind="status", times=-1)
    await client.control("clock", advance=90)
    await client.control("reset")
    assert (await client.get("/_sim/settings"))["rotation"] == "strict"
    assert (await client.get("/_sim/clock"))["now"] == client.clock()
    assert (await client.stats())["calls"] == 0
    assert "access_token" in await client.login_kit_tokens()


async def test_a_list_registers_several_apps(client: Client) -> None:
    response, _ = await client.request(
        "POST", "/_sim/apps", json=[{"id": "1", "secret": "a"}, {"id": "2", "secret": "b"}]
    )
    apps = (await response.json())["apps"]
    assert {app["id"] for app in apps} == {BUSINESS_APP.id, LOGIN_KIT_APP.id, "1", "2"}


async def test_a_control_refuses_a_body_that_is_not_json(client: Client) -> None:
    response, body = await client.request("POST", "/_sim/consent", data=b"{")
    assert (response.status, b"not JSON" in body) == (400, True)
