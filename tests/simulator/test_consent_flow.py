"""The consent pages, used like a browser without scripts uses them."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tiktok_simulator.page_texts import ADS_PERMISSIONS, BANNER

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, REDIRECT_URI, Client, hex_challenge

ADS_LINK = {"app_id": BUSINESS_APP.id, "redirect_uri": REDIRECT_URI, "state": "a+b/c=="}
PROFILE_LINK = {
    "client_key": LOGIN_KIT_APP.id,
    "redirect_uri": REDIRECT_URI,
    "state": "s",
    "response_type": "code",
    "scope": "user.info.basic,video.list,video.publish",
}
ADS_PATH, PROFILE_PATH = "/portal/auth", "/v2/auth/authorize/"


async def _get_page(client: Client, path: str, **params: str) -> tuple[int, str]:
    response, body = await client.request("GET", path, params=params)
    return response.status, body.decode()


async def _submit(
    client: Client, path: str, link: dict[str, str], decision: str, *selected: tuple[str, str]
) -> tuple[str, dict[str, str]]:
    fields = [*link.items(), ("decision", decision), *selected]
    response, _ = await client.request("POST", path, data=fields)
    assert response.status == 302
    redirect_uri, _, query = response.headers["Location"].partition("?")
    return redirect_uri, {name: value for name, (value,) in parse_qs(query).items()}


async def test_the_ads_page_names_the_simulator_the_app_and_its_permissions(client: Client) -> None:
    status, page = await _get_page(client, ADS_PATH, **ADS_LINK)
    assert status == 200
    return_host = urlsplit(REDIRECT_URI).hostname or ""
    for text in (BANNER, BUSINESS_APP.name, ADS_PERMISSIONS[0].title, return_host):
        assert text in page


async def test_a_consent_page_has_a_strict_content_security_policy_and_no_inline_script(
    client: Client,
) -> None:
    response, body = await client.request("GET", ADS_PATH, params=ADS_LINK)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert not re.search(rb"<style| style=|<script(?![^>]*src)| on\w+=", body)


async def test_the_simulator_serves_every_file_of_a_consent_page(client: Client) -> None:
    _, page = await _get_page(client, ADS_PATH, **ADS_LINK)
    for path in set(re.findall(r'(?:src|href)="([^"]+)"', page)):
        assert (await client.request("GET", path))[0].status == 200


@pytest.mark.parametrize("count", [0, 1, 5, 5_000])
async def test_the_ads_page_lists_the_selected_number_of_ad_accounts(
    client: Client, count: int
) -> None:
    _, page = await _get_page(client, ADS_PATH, **ADS_LINK, sim_accounts=str(count))
    assert page.count('name="advertiser"') == count


async def test_allowing_ads_returns_a_code_for_the_selected_accounts(client: Client) -> None:
    _, page = await _get_page(client, ADS_PATH, **ADS_LINK)
    ids = re.findall(r'name="advertiser" value="(\d+)"', page)
    selected = [("advertiser", id) for id in ids[1:3]]
    redirect_uri, result = await _submit(client, ADS_PATH, ADS_LINK, "allow", *selected)
    assert redirect_uri == REDIRECT_URI
    assert sorted(result) == ["auth_code", "code", "state"]
    assert result["state"] == ADS_LINK["state"]
    assert await client.redeemed_advertiser_ids(result["auth_code"]) == ids[1:3]


async def test_one_form_can_grant_five_thousand_ad_accounts(client: Client) -> None:
    link = {**ADS_LINK, "sim_accounts": "5000"}
    _, page = await _get_page(client, ADS_PATH, **link)
    ids = re.findall(r'name="advertiser" value="(\d+)"', page)
    _, result = await _submit(client, ADS_PATH, link, "allow", *(("advertiser", id) for id in ids))
    assert await client.redeemed_advertiser_ids(result["auth_code"]) == ids


async def test_an_ad_account_of_another_person_cannot_be_granted(client: Client) -> None:
    _, result = await _submit(client, ADS_PATH, ADS_LINK, "allow", ("advertiser", "666"))
    assert await client.redeemed_advertiser_ids(result["auth_code"]) == []


async def test_cancelling_ads_returns_only_the_oauth_state(client: Client) -> None:
    _, result = await _submit(client, ADS_PATH, ADS_LINK, "cancel")
    assert result == {"state": ADS_LINK["state"]}


async def test_allowing_a_profile_returns_the_code_the_scopes_and_the_oauth_state(
    client: Client,
) -> None:
    selected = (("granted", "user.info.basic"), ("granted", "video.list"), ("granted", "biz.x"))
    _, result = await _submit(client, PROFILE_PATH, PROFILE_LINK, "allow", *selected)
    assert sorted(result) == ["code", "scopes", "state"]
    assert result["scopes"] == "user.info.basic,video.list"
    tokens = await client.exchange_login_kit(result["code"])
    assert tokens["scope"] == "user.info.basic,video.list"


async def test_the_code_in_the_redirect_is_percent_encoded(client: Client) -> None:
    fields = {**PROFILE_LINK, "decision": "allow"}
    response, _ = await client.request("POST", PROFILE_PATH, data=fields)
    assert "%2A" in response.headers["Location"]
    assert "%21" in response.headers["Location"]


async def test_a_code_from_the_page_is_bound_to_its_redirect_uri_and_code_challenge(
    client: Client,
) -> None:
    verifier = "v" * 43
    challenge = {"code_challenge": hex_challenge(verifier), "code_challenge_method": "S256"}
    _, result = await _submit(client, PROFILE_PATH, {**PROFILE_LINK, **challenge}, "allow")
    for mismatch in ({"redirect_uri": "https://else.example/"}, {"code_verifier": "w" * 43}):
        fields = {"code_verifier": verifier, **mismatch}
        response = await client.exchange_login_kit(result["code"], **fields)
        assert response["error"] == "invalid_request"
    assert "access_token" in await client.exchange_login_kit(result["code"], code_verifier=verifier)


async def test_cancelling_a_profile_returns_access_denied(client: Client) -> None:
    _, result = await _submit(client, PROFILE_PATH, PROFILE_LINK, "cancel")
    assert sorted(result) == ["error", "error_description", "state"]
    assert result["error"] == "access_denied"


async def test_an_app_of_both_products_can_redeem_a_profile_code_as_an_account(
    client: Client,
) -> None:
    link = {**PROFILE_LINK, "client_key": BUSINESS_APP.id}
    _, result = await _submit(client, PROFILE_PATH, link, "allow", ("granted", "video.list"))
    assert (await client.exchange_accounts(result["code"]))["data"]["scope"] == "video.list"


ACCOUNTS_LINK = {**PROFILE_LINK, "client_key": BUSINESS_APP.id}


async def test_a_person_who_granted_the_same_permissions_before_returns_without_a_code(
    client: Client,
) -> None:
    await client.accounts_tokens(scopes=ACCOUNTS_LINK["scope"])
    response, _ = await client.request("GET", PROFILE_PATH, params=ACCOUNTS_LINK)
    assert (response.status, response.headers["Location"]) == (302, f"{REDIRECT_URI}?state=s")
    _, result = await _submit(client, PROFILE_PATH, ACCOUNTS_LINK, "allow")
    assert result == {"state": "s"}


async def test_a_person_whose_earlier_grant_has_ended_also_returns_without_a_code(
    client: Client,
) -> None:
    tokens = await client.accounts_tokens(scopes=ACCOUNTS_LINK["scope"])
    await client.control("revoke", open_id=tokens["open_id"])
    response, _ = await client.request("GET", PROFILE_PATH, params=ACCOUNTS_LINK)
    assert response.headers["Location"] == f"{REDIRECT_URI}?state=s"


@pytest.mark.parametrize(
    "changes",
    [
        {"disable_auto_auth": "1"},
        {"scope": "user.info.basic,comment.list"},
        {"sim_person": "sam"},
        {"client_key": LOGIN_KIT_APP.id},
    ],
    ids=str,
)
async def test_the_page_is_shown_to_a_person_who_granted_other_permissions_or_by_the_parameter(
    client: Client, changes: dict[str, str]
) -> None:
    await client.accounts_tokens(scopes=ACCOUNTS_LINK["scope"])
    status, page = await _get_page(client, PROFILE_PATH, **{**ACCOUNTS_LINK, **changes})
    assert (status, BANNER in page) == (200, True)


async def test_the_page_sends_disable_auto_auth_back_with_the_decision(client: Client) -> None:
    await client.accounts_tokens(scopes=ACCOUNTS_LINK["scope"])
    link = {**ACCOUNTS_LINK, "disable_auto_auth": "1"}
    _, page = await _get_page(client, PROFILE_PATH, **link)
    assert 'name="disable_auto_auth" value="1"' in page
    _, result = await _submit(client, PROFILE_PATH, link, "allow", ("granted", "video.list"))
    assert "code" in result


async def test_of_the_redirect_uris_of_an_accounts_app_only_the_first_is_active(
    client: Client,
) -> None:
    uris = [REDIRECT_URI, REDIRECT_URI + "/other"]
    app = {"id": BUSINESS_APP.id, "secret": BUSINESS_APP.secret, "family": "accounts"}
    await client.control("apps", **app, redirect_uris=uris)
    statuses = [
        (await _get_page(client, PROFILE_PATH, **{**ACCOUNTS_LINK, "redirect_uri": uri}))[0]
        for uri in uris
    ]
    assert statuses == [200, 400]


async def test_an_accounts_app_without_a_logo_has_an_error_page(client: Client) -> None:
    app = {"id": BUSINESS_APP.id, "secret": BUSINESS_APP.secret}
    await client.control("apps", **app, has_logo=False)
    status, page = await _get_page(client, PROFILE_PATH, **ACCOUNTS_LINK)
    assert (status, "unauthorized_client" in page) == (400, True)


async def test_the_redirect_retains_the_query_of_the_redirect_uri(client: Client) -> None:
    link = {**ADS_LINK, "redirect_uri": REDIRECT_URI + "?from=tiktok"}
    _, result = await _submit(client, ADS_PATH, link, "cancel")
    assert result == {"from": "tiktok", "state": ADS_LINK["state"]}


@pytest.mark.parametrize(
    ("path", "link", "changes", "expected_text"),
    [
        (ADS_PATH, ADS_LINK, {"app_id": "404"}, "client_key"),
        (ADS_PATH, ADS_LINK, {"redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
        (PROFILE_PATH, PROFILE_LINK, {"client_key": ""}, "client_key"),
        (PROFILE_PATH, PROFILE_LINK, {"response_type": "token"}, "response_type"),
        (PROFILE_PATH, PROFILE_LINK, {"scope": ""}, "scope"),
        (
            PROFILE_PATH,
            PROFILE_LINK,
            {"code_challenge": "x", "code_challenge_method": "plain"},
            "S256",
        ),
    ],
)
async def test_the_page_for_an_invalid_consent_link_names_the_invalid_parameter(
    client: Client, path: str, link: dict[str, str], changes: dict[str, str], expected_text: str
) -> None:
    status, text = await _get_page(client, path, **{**link, **changes})
    assert status == 400
    assert "unauthorized_client" in text
    assert expected_text in text


async def test_only_a_registered_redirect_uri_is_accepted(client: Client) -> None:
    await client.control(
        "apps", id=BUSINESS_APP.id, secret=BUSINESS_APP.secret, redirect_uris=[REDIRECT_URI + "/"]
    )
    assert (await _get_page(client, ADS_PATH, **ADS_LINK))[0] == 400


async def test_the_apps_name_and_parameters_are_escaped_on_the_page(client: Client) -> None:
    await client.control(
        "apps", id=BUSINESS_APP.id, secret=BUSINESS_APP.secret, name="<script>alert(1)</script>"
    )
    _, page = await _get_page(client, ADS_PATH, **{**ADS_LINK, "state": '"><img src=x>'})
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


async def test_two_people_have_different_ad_accounts(client: Client) -> None:
    pages = [
        await _get_page(client, ADS_PATH, **ADS_LINK, sim_person=person)
        for person in ("robin", "sam")
    ]
    ids = [set(re.findall(r'name="advertiser" value="(\d+)"', text)) for _, text in pages]
    assert not ids[0] & ids[1]


async def test_the_start_page_names_the_simulator(client: Client) -> None:
    status, page = await _get_page(client, "/")
    assert (status, BANNER in page) == (200, True)
