"""The Marketing API answers as TikTok's documents say, traps included."""

import json

from .conftest import ADS, KIT, Tap

ROOT = "/open_api/v1.3/"
CREDENTIALS = {"app_id": ADS.id, "secret": ADS.secret}


async def test_an_exchange_answers_the_documented_envelope(tap: Tap) -> None:
    answer = await tap.exchange(await tap.consent(advertisers=2))
    assert sorted(answer) == ["code", "data", "message", "request_id"]
    assert (answer["code"], answer["message"]) == (0, "OK")
    assert sorted(answer["data"]) == ["access_token", "advertiser_ids", "scope"]


async def test_advertiser_ids_are_text_of_nineteen_digits_beyond_a_float(tap: Tap) -> None:
    ids = (await tap.exchange(await tap.consent(advertisers=5)))["data"]["advertiser_ids"]
    assert len(set(ids)) == 5
    assert all(isinstance(id, str) and len(id) == 19 and int(id) > 2**53 for id in ids)


async def test_advertiser_ids_may_come_as_numbers(tap: Tap) -> None:
    await tap.sim("settings", numeric_ids=True)
    ids = (await tap.exchange(await tap.consent(advertisers=2)))["data"]["advertiser_ids"]
    assert all(isinstance(id, int) for id in ids)


async def test_advertiser_ids_are_missing_when_they_are_not_wanted(tap: Tap) -> None:
    for unwanted in (False, "false"):
        answer = await tap.exchange(await tap.consent(), return_advertiser_ids=unwanted)
        assert "advertiser_ids" not in answer["data"]


async def test_scopes_are_numbers_and_one_is_beyond_a_float(tap: Tap) -> None:
    scopes = (await tap.exchange(await tap.consent()))["data"]["scope"]
    assert 7533163835474346001 in scopes
    assert all(isinstance(scope, int) for scope in scopes)


async def test_a_code_is_redeemed_once(tap: Tap) -> None:
    code = await tap.consent()
    await tap.exchange(code)
    again = await tap.exchange(code)
    assert again["code"] == 40110
    assert again["message"].startswith("The auth_code is canceled")


async def test_a_code_lives_one_hour(tap: Tap) -> None:
    code = await tap.consent()
    tap.clock.seconds += 3_600
    assert (await tap.exchange(code))["code"] == 40110


async def test_an_unknown_code_is_refused_like_a_used_one(tap: Tap) -> None:
    assert (await tap.exchange("made-up"))["code"] == 40110


async def test_a_wrong_secret_does_not_burn_the_code(tap: Tap) -> None:
    code = await tap.consent()
    assert (await tap.exchange(code, secret="wrong"))["code"] == 40101
    assert (await tap.exchange(code))["code"] == 0


async def test_an_unregistered_app_is_told_so(tap: Tap) -> None:
    assert (await tap.exchange(await tap.consent(), app_id="404"))["code"] == 40113


async def test_a_code_of_the_other_consent_flow_is_refused(tap: Tap) -> None:
    assert (await tap.exchange(await tap.consent("accounts")))["code"] == 40115


async def test_a_missing_field_is_named(tap: Tap) -> None:
    answer = await tap.post(ROOT + "oauth2/access_token/", app_id=ADS.id, secret=ADS.secret)
    assert answer["code"] == 40002
    assert "auth_code" in answer["message"]


async def test_a_post_takes_json_and_nothing_else(tap: Tap) -> None:
    answer = await tap.form(ROOT + "oauth2/access_token/", auth_code="x", **CREDENTIALS)
    assert answer["code"] == 40002


async def test_the_last_slash_is_mandatory(tap: Tap) -> None:
    answer, body = await tap.call("POST", ROOT + "oauth2/access_token", json={})
    assert (answer.status, answer.content_type, body) == (404, "text/plain", b"404 page not found")


async def test_the_wrong_method_is_an_http_error(tap: Tap) -> None:
    answer, _ = await tap.call("GET", ROOT + "oauth2/access_token/")
    assert answer.status == 405


async def test_a_token_never_expires(tap: Tap) -> None:
    token = await tap.ads_token()
    tap.clock.seconds += 10 * 365 * 86_400
    assert (await tap.get(ROOT + "user/info/", token=token))["code"] == 0


async def test_there_is_nothing_to_refresh(tap: Tap) -> None:
    answer = await tap.post(
        ROOT + "oauth2/refresh_token/", refresh_token=await tap.ads_token(), **CREDENTIALS
    )
    assert answer["code"] == 40107


async def test_a_missing_token_names_the_header(tap: Tap) -> None:
    answer = await tap.get(ROOT + "user/info/")
    assert (answer["code"], "data" in answer) == (40104, False)
    assert "Access-Token" in answer["message"]


async def test_a_token_counts_only_in_its_header(tap: Tap) -> None:
    token = await tap.ads_token()
    assert (await tap.get(ROOT + "user/info/", access_token=token))["code"] == 40104
    _, answer = await tap.open("GET", ROOT + "user/info/", token)
    assert answer["code"] == 40104


async def test_a_wrong_token_is_refused_with_http_200(tap: Tap) -> None:
    assert (await tap.get(ROOT + "user/info/", token="nobody's"))["code"] == 40105


async def test_an_account_holders_token_is_of_another_product(tap: Tap) -> None:
    token = (await tap.account())["access_token"]
    assert (await tap.get(ROOT + "user/info/", token=token))["code"] == 70001


async def test_a_token_of_tiktok_for_developers_is_unknown_here(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    assert (await tap.get(ROOT + "user/info/", token=token))["code"] == 40105


async def test_revoking_ends_the_token_and_lists_what_is_lost(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=2)
    answer = await tap.post(ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS)
    assert answer["data"]["app_id"] == ADS.id
    assert len(answer["data"]["advertiser_ids"]) == 2
    assert (await tap.get(ROOT + "user/info/", token=token))["code"] == 40105


async def test_revoking_twice_is_refused(tap: Tap) -> None:
    token = await tap.ads_token()
    await tap.post(ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS)
    again = await tap.post(ROOT + "oauth2/revoke_token/", access_token=token, **CREDENTIALS)
    assert again["code"] == 40105


async def test_the_granted_advertisers_come_with_their_names(tap: Tap) -> None:
    mine = [{"id": "7000000000000000001", "name": "Mine"}]
    token = await tap.ads_token(advertisers=mine)
    answer = await tap.get(ROOT + "oauth2/advertiser/get/", token=token, **CREDENTIALS)
    assert answer["data"]["list"] == [
        {"advertiser_id": "7000000000000000001", "advertiser_name": "Mine"}
    ]


async def test_another_apps_token_lists_no_advertisers(tap: Tap) -> None:
    token = await tap.ads_token()
    answer = await tap.get(
        ROOT + "oauth2/advertiser/get/", token=token, app_id=KIT.id, secret=KIT.secret
    )
    assert answer["code"] == 40113


async def test_the_same_person_has_the_same_core_user_id_after_consenting_again(tap: Tap) -> None:
    ids = [
        (await tap.get(ROOT + "user/info/", token=token))["data"]["core_user_id"]
        for token in (await tap.ads_token(), await tap.ads_token(), await tap.ads_token(person="x"))
    ]
    assert ids[0] == ids[1] != ids[2]


async def test_advertiser_info_masks_contacts_and_keeps_to_the_fields(tap: Tap) -> None:
    token = await tap.ads_token()
    ids = json.dumps((await tap.exchange(await tap.consent()))["data"]["advertiser_ids"])
    fields = json.dumps(["name", "email"])
    answer = await tap.get(
        ROOT + "advertiser/info/", token=token, advertiser_ids=ids, fields=fields
    )
    (row,) = answer["data"]["list"]
    assert sorted(row) == ["advertiser_id", "email", "name"]
    assert "***" in row["email"]


async def test_company_name_editable_comes_alone(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=["71"])
    answer = await tap.get(
        ROOT + "advertiser/info/",
        token=token,
        advertiser_ids='["71"]',
        fields='["name","company_name_editable"]',
    )
    assert sorted(answer["data"]["list"][0]) == ["advertiser_id", "company_name_editable"]


async def test_one_unknown_advertiser_fails_the_whole_batch(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=["71"])
    answer = await tap.get(ROOT + "advertiser/info/", token=token, advertiser_ids='["71","72"]')
    assert answer["code"] == 40001


async def test_more_than_a_hundred_advertisers_are_too_many(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=101)
    listed = await tap.get(ROOT + "oauth2/advertiser/get/", token=token, **CREDENTIALS)
    ids = [row["advertiser_id"] for row in listed["data"]["list"]]
    for n, code in ((101, 40011), (100, 0)):
        answer = await tap.get(
            ROOT + "advertiser/info/", token=token, advertiser_ids=json.dumps(ids[:n])
        )
        assert answer["code"] == code


async def test_a_list_in_a_query_is_json_text(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=["71"])
    answer = await tap.get(ROOT + "advertiser/info/", token=token, advertiser_ids="71")
    assert answer["code"] == 40002


async def test_business_centers_come_in_pages(tap: Tap) -> None:
    answer = await tap.get(ROOT + "bc/get/", token=await tap.ads_token())
    assert answer["data"]["page_info"] == {
        "page": 1,
        "page_size": 10,
        "total_number": 1,
        "total_page": 1,
    }
    assert answer["data"]["list"][0]["bc_info"]["bc_id"].isdigit()


async def test_an_app_without_the_permission_is_refused(tap: Tap) -> None:
    token = await tap.ads_token(scopes=[4], advertisers=["71"])
    answer = await tap.get(ROOT + "advertiser/info/", token=token, advertiser_ids='["71"]')
    assert answer["code"] == 40001


async def test_beyond_the_limit_of_a_second_the_app_is_told_to_wait(tap: Tap) -> None:
    token = await tap.ads_token()
    await tap.sim("settings", qps=2)
    codes = [(await tap.get(ROOT + "user/info/", token=token))["code"] for _ in range(3)]
    tap.clock.seconds += 1
    codes.append((await tap.get(ROOT + "user/info/", token=token))["code"])
    assert codes == [0, 0, 40100, 0]
