"""The Marketing API behaves as TikTok documents it, including its irregularities."""

import json

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, Client

ROOT = "/open_api/v1.3/"
CREDENTIALS = {"app_id": BUSINESS_APP.id, "secret": BUSINESS_APP.secret}


async def test_a_marketing_exchange_returns_the_documented_envelope(client: Client) -> None:
    response = await client.exchange_marketing(await client.consent(advertisers=2))
    assert sorted(response) == ["code", "data", "message", "request_id"]
    assert (response["code"], response["message"]) == (0, "OK")
    assert sorted(response["data"]) == ["access_token", "advertiser_ids", "scope"]


async def test_advertiser_ids_are_texts_of_nineteen_digits_that_a_float_cannot_represent(
    client: Client,
) -> None:
    ids = await client.redeemed_advertiser_ids(await client.consent(advertisers=5))
    assert len(set(ids)) == 5
    assert all(isinstance(id, str) and len(id) == 19 and int(id) > 2**53 for id in ids)


async def test_a_setting_turns_advertiser_ids_into_numbers(client: Client) -> None:
    await client.control("settings", numeric_ids=True)
    ids = await client.redeemed_advertiser_ids(await client.consent(advertisers=2))
    assert all(isinstance(id, int) for id in ids)


async def test_a_marketing_exchange_can_omit_the_advertiser_ids(client: Client) -> None:
    for value in (False, "false"):
        response = await client.exchange_marketing(
            await client.consent(), return_advertiser_ids=value
        )
        assert "advertiser_ids" not in response["data"]


async def test_marketing_scopes_are_integers_and_a_float_cannot_represent_one_of_them(
    client: Client,
) -> None:
    scopes = (await client.exchange_marketing(await client.consent()))["data"]["scope"]
    assert 7533163835474346001 in scopes
    assert all(isinstance(scope, int) for scope in scopes)


async def test_a_marketing_code_can_be_redeemed_only_once(client: Client) -> None:
    code = await client.consent()
    await client.exchange_marketing(code)
    second_response = await client.exchange_marketing(code)
    assert second_response["code"] == 40110
    assert second_response["message"].startswith("The auth_code is canceled")


async def test_a_marketing_code_expires_after_one_hour(client: Client) -> None:
    code = await client.consent()
    client.clock.seconds += 3_600
    assert (await client.exchange_marketing(code))["code"] == 40110


async def test_an_unknown_marketing_code_gets_the_same_error_as_a_used_code(client: Client) -> None:
    assert (await client.exchange_marketing("unknown"))["code"] == 40110


async def test_a_wrong_app_secret_does_not_use_up_the_code(client: Client) -> None:
    code = await client.consent()
    assert (await client.exchange_marketing(code, secret="wrong"))["code"] == 40101
    assert (await client.exchange_marketing(code))["code"] == 0


async def test_an_unregistered_app_gets_its_own_error_code(client: Client) -> None:
    assert (await client.exchange_marketing(await client.consent(), app_id="404"))["code"] == 40113


async def test_a_marketing_exchange_refuses_an_accounts_code(client: Client) -> None:
    assert (await client.exchange_marketing(await client.consent("accounts")))["code"] == 40115


async def test_the_error_for_a_missing_field_names_the_field(client: Client) -> None:
    response = await client.post(
        ROOT + "oauth2/access_token/", app_id=BUSINESS_APP.id, secret=BUSINESS_APP.secret
    )
    assert response["code"] == 40002
    assert "auth_code" in response["message"]


async def test_the_business_host_accepts_only_json_in_a_post(client: Client) -> None:
    response = await client.post_form(ROOT + "oauth2/access_token/", auth_code="x", **CREDENTIALS)
    assert response["code"] == 40002


async def test_the_business_host_requires_the_last_slash_of_a_path(client: Client) -> None:
    response, body = await client.request("POST", ROOT + "oauth2/access_token", json={})
    assert (response.status, response.content_type, body) == (
        404,
        "text/plain",
        b"404 page not found",
    )


async def test_the_business_host_refuses_a_wrong_method_with_an_http_error(client: Client) -> None:
    response, _ = await client.request("GET", ROOT + "oauth2/access_token/")
    assert response.status == 405


async def test_a_marketing_token_never_expires(client: Client) -> None:
    token = await client.marketing_token()
    client.clock.seconds += 10 * 365 * 86_400
    assert (await client.get(ROOT + "user/info/", token=token))["code"] == 0


async def test_a_marketing_token_cannot_be_refreshed(client: Client) -> None:
    response = await client.post(
        ROOT + "oauth2/refresh_token/", refresh_token=await client.marketing_token(), **CREDENTIALS
    )
    assert response["code"] == 40107


async def test_the_error_for_a_missing_token_names_the_header(client: Client) -> None:
    response = await client.get(ROOT + "user/info/")
    assert (response["code"], "data" in response) == (40104, False)
    assert "Access-Token" in response["message"]


async def test_a_marketing_token_is_accepted_only_in_its_header(client: Client) -> None:
    token = await client.marketing_token()
    assert (await client.get(ROOT + "user/info/", access_token=token))["code"] == 40104
    _, response = await client.call_open_api("GET", ROOT + "user/info/", token)
    assert response["code"] == 40104


async def test_an_unknown_marketing_token_is_refused_with_http_200(client: Client) -> None:
    assert (await client.get(ROOT + "user/info/", token="nobody's"))["code"] == 40105


async def test_the_marketing_api_refuses_an_accounts_token_as_another_product(
    client: Client,
) -> None:
    token = (await client.accounts_tokens())["access_token"]
    assert (await client.get(ROOT + "user/info/", token=token))["code"] == 70001


async def test_the_marketing_api_refuses_login_kit_tokens(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    assert (await client.get(ROOT + "user/info/", token=token))["code"] == 40105


async def test_revoking_a_marketing_token_returns_the_lost_advertisers(client: Client) -> None:
    token = await client.marketing_token(advertisers=2)
    response = await client.post(ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS)
    assert response["data"]["app_id"] == BUSINESS_APP.id
    assert len(response["data"]["advertiser_ids"]) == 2
    assert (await client.get(ROOT + "user/info/", token=token))["code"] == 40105


async def test_revoking_a_marketing_token_ends_every_grant_of_that_app_and_person(
    client: Client,
) -> None:
    first, second = await client.marketing_token(), await client.marketing_token()
    other_person = await client.marketing_token(person="sam")
    await client.post(ROOT + "oauth2/revoke_token/", access_token=first, **CREDENTIALS)
    assert (await client.get(ROOT + "user/info/", token=second))["code"] == 40105
    assert (await client.get(ROOT + "user/info/", token=other_person))["code"] == 0


async def test_revoking_a_marketing_token_twice_is_refused(client: Client) -> None:
    token = await client.marketing_token()
    await client.post(ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS)
    second_response = await client.post(
        ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS
    )
    assert second_response["code"] == 40105


async def test_the_granted_advertisers_are_listed_with_their_names(client: Client) -> None:
    advertisers = [{"id": "7000000000000000001", "name": "Mine"}]
    token = await client.marketing_token(advertisers=advertisers)
    response = await client.get(ROOT + "oauth2/advertiser/get/", token=token, **CREDENTIALS)
    assert response["data"]["list"] == [
        {"advertiser_id": "7000000000000000001", "advertiser_name": "Mine"}
    ]


async def test_the_advertiser_list_refuses_the_token_of_another_app(client: Client) -> None:
    token = await client.marketing_token()
    response = await client.get(
        ROOT + "oauth2/advertiser/get/",
        token=token,
        app_id=LOGIN_KIT_APP.id,
        secret=LOGIN_KIT_APP.secret,
    )
    assert response["code"] == 40000
    assert "inconsistent with the token's app information" in response["message"]


async def test_a_second_consent_of_a_person_has_the_same_core_user_id(client: Client) -> None:
    ids = [
        (await client.get(ROOT + "user/info/", token=token))["data"]["core_user_id"]
        for token in (
            await client.marketing_token(),
            await client.marketing_token(),
            await client.marketing_token(person="x"),
        )
    ]
    assert ids[0] == ids[1] != ids[2]


async def test_advertiser_info_masks_contacts_and_returns_only_the_requested_fields(
    client: Client,
) -> None:
    token = await client.marketing_token()
    ids = json.dumps(
        (await client.exchange_marketing(await client.consent()))["data"]["advertiser_ids"]
    )
    fields = json.dumps(["name", "email"])
    response = await client.get(
        ROOT + "advertiser/info/", token=token, advertiser_ids=ids, fields=fields
    )
    (row,) = response["data"]["list"]
    assert sorted(row) == ["advertiser_id", "email", "name"]
    assert "***" in row["email"]


async def test_advertiser_info_returns_company_name_editable_without_other_fields(
    client: Client,
) -> None:
    token = await client.marketing_token(advertisers=["71"])
    response = await client.get(
        ROOT + "advertiser/info/",
        token=token,
        advertiser_ids='["71"]',
        fields='["name","company_name_editable"]',
    )
    assert sorted(response["data"]["list"][0]) == ["advertiser_id", "company_name_editable"]


async def test_one_unknown_advertiser_fails_the_whole_advertiser_info_call(client: Client) -> None:
    token = await client.marketing_token(advertisers=["71"])
    response = await client.get(
        ROOT + "advertiser/info/", token=token, advertiser_ids='["71","72"]'
    )
    assert response["code"] == 40001


async def test_advertiser_info_refuses_more_than_a_hundred_advertisers(client: Client) -> None:
    token = await client.marketing_token(advertisers=101)
    listed = await client.get(ROOT + "oauth2/advertiser/get/", token=token, **CREDENTIALS)
    ids = [row["advertiser_id"] for row in listed["data"]["list"]]
    for n, code in ((101, 40011), (100, 0)):
        response = await client.get(
            ROOT + "advertiser/info/", token=token, advertiser_ids=json.dumps(ids[:n])
        )
        assert response["code"] == code


async def test_a_list_in_a_query_must_be_json_text(client: Client) -> None:
    token = await client.marketing_token(advertisers=["71"])
    response = await client.get(ROOT + "advertiser/info/", token=token, advertiser_ids="71")
    assert response["code"] == 40002


async def test_business_centers_are_listed_in_pages(client: Client) -> None:
    response = await client.get(ROOT + "bc/get/", token=await client.marketing_token())
    assert response["data"]["page_info"] == {
        "page": 1,
        "page_size": 10,
        "total_number": 1,
        "total_page": 1,
    }
    assert response["data"]["list"][0]["bc_info"]["bc_id"].isdigit()


async def test_advertiser_info_refuses_a_token_without_the_permission(client: Client) -> None:
    token = await client.marketing_token(scopes=[4], advertisers=["71"])
    response = await client.get(ROOT + "advertiser/info/", token=token, advertiser_ids='["71"]')
    assert response["code"] == 40001


async def test_a_marketing_call_above_the_rate_limit_is_refused_until_the_next_second(
    client: Client,
) -> None:
    token = await client.marketing_token()
    await client.control("settings", qps=2)
    codes = [(await client.get(ROOT + "user/info/", token=token))["code"] for _ in range(3)]
    client.clock.seconds += 1
    codes.append((await client.get(ROOT + "user/info/", token=token))["code"])
    assert codes == [0, 0, 40100, 0]
