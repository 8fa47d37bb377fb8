"""The TikTok Accounts API: JSON bodies, `act.` and `rft.` tokens, an absolute refresh window."""

import pytest

from .conftest import BUSINESS_APP, REDIRECT_URI, Client

ROOT = "/open_api/v1.3/"
CLIENT_CREDENTIALS = {"client_id": BUSINESS_APP.id, "client_secret": BUSINESS_APP.secret}
APP_CREDENTIALS = {"app_id": BUSINESS_APP.id, "secret": BUSINESS_APP.secret}


async def test_an_accounts_exchange_returns_the_documented_fields(client: Client) -> None:
    tokens = await client.accounts_tokens(scopes=["user.info.basic", "video.list"])
    assert sorted(tokens) == [
        "access_token",
        "expires_in",
        "open_id",
        "refresh_token",
        "refresh_token_expires_in",
        "scope",
        "token_type",
    ]
    assert tokens["access_token"].startswith("act.")
    assert tokens["refresh_token"].startswith("rft.")
    assert tokens["scope"] == "user.info.basic,video.list"
    assert (tokens["expires_in"], tokens["refresh_token_expires_in"]) == (86_400, 31_536_000)


async def test_an_accounts_exchange_requires_the_redirect_uri_of_the_consent(
    client: Client,
) -> None:
    code = await client.consent("accounts", redirect_uri=REDIRECT_URI)
    assert (await client.exchange_accounts(code, redirect_uri=REDIRECT_URI + "/"))["code"] == 40002
    assert (await client.exchange_accounts(code))["code"] == 0


async def test_every_field_of_an_accounts_exchange_is_required(client: Client) -> None:
    code = await client.consent("accounts")
    for field in ("client_id", "client_secret", "grant_type", "auth_code", "redirect_uri"):
        response = await client.exchange_accounts(code, **{field: ""})
        assert (response["code"], field in response["message"]) == (40002, True)


async def test_an_accounts_code_expires_after_ten_minutes(client: Client) -> None:
    redeemed, expired = await client.consent("accounts"), await client.consent("accounts")
    client.clock.seconds += 599
    assert (await client.exchange_accounts(redeemed))["code"] == 0
    client.clock.seconds += 1
    assert (await client.exchange_accounts(expired))["code"] == 40110


async def test_a_setting_changes_the_lifetime_of_codes(client: Client) -> None:
    await client.control("settings", code_seconds=5)
    configured = await client.consent("accounts")
    client.clock.seconds += 5
    assert (await client.exchange_accounts(configured))["code"] == 40110


async def test_an_accounts_exchange_refuses_an_unknown_grant_type(client: Client) -> None:
    code = await client.consent("accounts")
    assert (await client.exchange_accounts(code, grant_type="implicit"))["code"] == 40108


async def test_an_accounts_exchange_refuses_a_marketing_code(client: Client) -> None:
    assert (await client.exchange_accounts(await client.consent()))["code"] == 40115


async def test_an_accounts_refresh_does_not_extend_the_refresh_window(client: Client) -> None:
    tokens = await client.accounts_tokens()
    client.clock.seconds += 8_686
    response = await client.refresh_accounts(tokens["refresh_token"])
    assert response["data"]["refresh_token_expires_in"] == 31_527_314
    assert response["data"]["expires_in"] == 86_400


async def test_a_rotated_accounts_refresh_token_is_invalid(client: Client) -> None:
    tokens = await client.accounts_tokens()
    await client.refresh_accounts(tokens["refresh_token"])
    assert (await client.refresh_accounts(tokens["refresh_token"]))["code"] == 40107


async def test_an_expired_accounts_refresh_token_has_its_own_error_code(client: Client) -> None:
    tokens = await client.accounts_tokens()
    client.clock.seconds += 31_536_000
    assert (await client.refresh_accounts(tokens["refresh_token"]))["code"] == 40103


async def test_an_expired_accounts_access_token_has_its_own_error_code(client: Client) -> None:
    tokens = await client.accounts_tokens()
    client.clock.seconds += 86_400
    response = await client.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert response["code"] == 40102


async def test_revoking_an_accounts_access_token_also_ends_the_refresh_token(
    client: Client,
) -> None:
    tokens = await client.accounts_tokens()
    revoke_path = ROOT + "tt_user/oauth2/revoke/"
    response = await client.post(
        revoke_path, access_token=tokens["access_token"], **CLIENT_CREDENTIALS
    )
    assert (response["code"], response["data"]) == (0, {})
    assert (await client.refresh_accounts(tokens["refresh_token"]))["code"] == 40107
    second_response = await client.post(
        revoke_path, access_token=tokens["access_token"], **CLIENT_CREDENTIALS
    )
    assert second_response["code"] == 40105


async def test_revoking_an_accounts_token_ends_every_grant_of_that_app_and_person(
    client: Client,
) -> None:
    first, second = await client.accounts_tokens(), await client.accounts_tokens()
    marketing_token = await client.marketing_token()
    await client.post(
        ROOT + "tt_user/oauth2/revoke/", access_token=first["access_token"], **CLIENT_CREDENTIALS
    )
    assert (await client.refresh_accounts(second["refresh_token"]))["code"] == 40107
    assert (await client.get(ROOT + "user/info/", token=marketing_token))["code"] == 0


async def test_token_info_returns_the_scope_and_the_owner_of_a_token(client: Client) -> None:
    tokens = await client.accounts_tokens()
    response = await client.post(
        ROOT + "tt_user/token_info/get/",
        app_id=BUSINESS_APP.id,
        access_token=tokens["access_token"],
    )
    assert response["data"] == {
        "app_id": BUSINESS_APP.id,
        "scope": tokens["scope"],
        "creator_id": tokens["open_id"],
    }


async def test_the_business_profile_has_two_fields_by_default(client: Client) -> None:
    tokens = await client.accounts_tokens()
    response = await client.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert sorted(response["data"]) == ["display_name", "profile_image"]


async def test_the_business_id_of_another_person_is_refused(client: Client) -> None:
    tokens = await client.accounts_tokens()
    other_tokens = await client.accounts_tokens(person="sam")
    response = await client.get(
        ROOT + "business/get/", token=tokens["access_token"], business_id=other_tokens["open_id"]
    )
    assert response["code"] == 40001


async def test_an_endpoint_refuses_a_token_without_its_scope(client: Client) -> None:
    tokens = await client.accounts_tokens(scopes="user.info.basic")
    response = await client.get(
        ROOT + "business/video/list/", token=tokens["access_token"], business_id=tokens["open_id"]
    )
    assert response["code"] == 40131


async def test_the_cursor_leads_to_every_video_exactly_once(client: Client) -> None:
    tokens = await client.accounts_tokens()
    video_ids, cursor, has_more = [], 0, True
    while has_more:
        response = await client.get(
            ROOT + "business/video/list/",
            token=tokens["access_token"],
            business_id=tokens["open_id"],
            max_count="20",
            cursor=str(cursor),
        )
        video_ids += [video["item_id"] for video in response["data"]["videos"]]
        cursor, has_more = response["data"]["cursor"], response["data"]["has_more"]
    assert len(video_ids) == len(set(video_ids)) == 45


async def test_the_limits_of_accounts_apply_to_each_account_and_endpoint(client: Client) -> None:
    await client.control("settings", accounts_limits=True)
    tokens = await client.accounts_tokens()
    account = {"token": tokens["access_token"], "business_id": tokens["open_id"]}
    codes = [(await client.get(ROOT + "business/get/", **account))["code"] for _ in range(41)]
    assert codes == [0] * 40 + [40100]
    assert (await client.get(ROOT + "business/video/list/", **account))["code"] == 0
    client.clock.seconds += 60
    assert (await client.get(ROOT + "business/get/", **account))["code"] == 0


@pytest.mark.parametrize("event_type", ["DEFAULT", "LEAD"])
async def test_an_event_type_that_is_not_documented_is_refused(
    client: Client, event_type: str
) -> None:
    response = await client.post(
        ROOT + "business/webhook/update/",
        callback_url="https://customer.example/hook",
        event_type=event_type,
        **APP_CREDENTIALS,
    )
    assert response["code"] == 40002


async def test_a_webhook_url_is_stored_listed_and_deleted(client: Client) -> None:
    event = {"event_type": "VIDEO"}
    url = "https://customer.example/hook"
    await client.post(
        ROOT + "business/webhook/update/", callback_url=url, **APP_CREDENTIALS, **event
    )
    listed = await client.get(ROOT + "business/webhook/list/", **APP_CREDENTIALS, **event)
    await client.post(ROOT + "business/webhook/delete/", **APP_CREDENTIALS, **event)
    listed_after_delete = await client.get(
        ROOT + "business/webhook/list/", **APP_CREDENTIALS, **event
    )
    assert listed["data"]["callback_url"] == url
    assert "callback_url" not in listed_after_delete["data"]
