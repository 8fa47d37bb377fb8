"""The consent pages, as a browser without scripts would use them."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.simulator.words import BANNER, PERMISSIONS

from .conftest import ADS, BACK, KIT, Tap, hex_challenge

ADS_PAGE = {"app_id": ADS.id, "redirect_uri": BACK, "state": "a+b/c=="}
KIT_PAGE = {
    "client_key": KIT.id,
    "redirect_uri": BACK,
    "state": "s",
    "response_type": "code",
    "scope": "user.info.basic,video.list,video.publish",
}
PORTAL, AUTHORIZE = "/portal/auth", "/v2/auth/authorize/"


async def _page(tap: Tap, path: str, **params: str) -> tuple[int, str]:
    answer, body = await tap.call("GET", path, params=params)
    return answer.status, body.decode()


async def _answer(
    tap: Tap, path: str, page: dict[str, str], decision: str, *ticked: tuple[str, str]
) -> tuple[str, dict[str, str]]:
    fields = [*page.items(), ("decision", decision), *ticked]
    answer, _ = await tap.call("POST", path, data=fields)
    assert answer.status == 302
    to, _, query = answer.headers["Location"].partition("?")
    return to, {k: v for k, (v,) in parse_qs(query).items()}


async def test_the_ads_page_says_who_asks_for_what_and_that_it_is_a_simulator(tap: Tap) -> None:
    status, page = await _page(tap, PORTAL, **ADS_PAGE)
    assert status == 200
    for words in (BANNER, ADS.name, PERMISSIONS[0][0], urlsplit(BACK).hostname or ""):
        assert words in page


async def test_a_page_has_no_inline_script_and_a_strict_policy(tap: Tap) -> None:
    answer, body = await tap.call("GET", PORTAL, params=ADS_PAGE)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(rb"<style| style=|<script(?![^>]*src)| on\w+=", body)


async def test_what_a_page_needs_is_served_from_here(tap: Tap) -> None:
    _, page = await _page(tap, PORTAL, **ADS_PAGE)
    for path in set(re.findall(r'(?:src|href)="([^"]+)"', page)):
        assert (await tap.call("GET", path))[0].status == 200


@pytest.mark.parametrize("count", [0, 1, 5, 5_000])
async def test_the_page_offers_as_many_ad_accounts_as_are_chosen(tap: Tap, count: int) -> None:
    _, page = await _page(tap, PORTAL, **ADS_PAGE, sim_accounts=str(count))
    assert page.count('name="advertiser"') == count


async def test_allowing_ads_returns_a_code_for_the_ticked_accounts(tap: Tap) -> None:
    _, page = await _page(tap, PORTAL, **ADS_PAGE)
    ids = re.findall(r'name="advertiser" value="(\d+)"', page)
    ticked = [("advertiser", id) for id in ids[1:3]]
    to, back = await _answer(tap, PORTAL, ADS_PAGE, "allow", *ticked)
    assert to == BACK
    assert sorted(back) == ["auth_code", "code", "state"]
    assert back["state"] == ADS_PAGE["state"]
    assert (await tap.exchange(back["auth_code"]))["data"]["advertiser_ids"] == ids[1:3]


async def test_five_thousand_accounts_are_granted_in_one_form(tap: Tap) -> None:
    chosen = {**ADS_PAGE, "sim_accounts": "5000"}
    _, page = await _page(tap, PORTAL, **chosen)
    ids = re.findall(r'name="advertiser" value="(\d+)"', page)
    _, back = await _answer(tap, PORTAL, chosen, "allow", *(("advertiser", id) for id in ids))
    assert (await tap.exchange(back["auth_code"]))["data"]["advertiser_ids"] == ids


async def test_an_account_the_person_does_not_have_cannot_be_granted(tap: Tap) -> None:
    _, back = await _answer(tap, PORTAL, ADS_PAGE, "allow", ("advertiser", "666"))
    assert (await tap.exchange(back["auth_code"]))["data"]["advertiser_ids"] == []


async def test_cancelling_ads_returns_the_state_and_nothing_else(tap: Tap) -> None:
    _, back = await _answer(tap, PORTAL, ADS_PAGE, "cancel")
    assert back == {"state": ADS_PAGE["state"]}


async def test_allowing_a_profile_returns_code_scopes_and_state(tap: Tap) -> None:
    ticked = (("granted", "user.info.basic"), ("granted", "video.list"), ("granted", "biz.x"))
    _, back = await _answer(tap, AUTHORIZE, KIT_PAGE, "allow", *ticked)
    assert sorted(back) == ["code", "scopes", "state"]
    assert back["scopes"] == "user.info.basic,video.list"
    assert (await tap.kit_exchange(back["code"]))["scope"] == "user.info.basic,video.list"


async def test_the_code_is_percent_encoded_on_its_way(tap: Tap) -> None:
    fields = {**KIT_PAGE, "decision": "allow"}
    answer, _ = await tap.call("POST", AUTHORIZE, data=fields)
    assert "%2A" in answer.headers["Location"]
    assert "%21" in answer.headers["Location"]


async def test_a_code_of_the_page_is_bound_to_its_redirect_and_challenge(tap: Tap) -> None:
    page = {**KIT_PAGE, "code_challenge": hex_challenge("v" * 43), "code_challenge_method": "S256"}
    _, back = await _answer(tap, AUTHORIZE, page, "allow")
    for wrong in ({"redirect_uri": "https://else.example/"}, {"code_verifier": "w" * 43}):
        refused = await tap.kit_exchange(back["code"], **{"code_verifier": "v" * 43, **wrong})
        assert refused["error"] == "invalid_request"
    assert "access_token" in await tap.kit_exchange(back["code"], code_verifier="v" * 43)


async def test_cancelling_a_profile_says_access_denied(tap: Tap) -> None:
    _, back = await _answer(tap, AUTHORIZE, KIT_PAGE, "cancel")
    assert sorted(back) == ["error", "error_description", "state"]
    assert back["error"] == "access_denied"


async def test_an_app_of_both_products_redeems_the_pages_code_as_an_account(tap: Tap) -> None:
    page = {**KIT_PAGE, "client_key": ADS.id}
    _, back = await _answer(tap, AUTHORIZE, page, "allow", ("granted", "video.list"))
    assert (await tap.account_exchange(back["code"]))["data"]["scope"] == "video.list"


async def test_a_query_of_the_redirect_uri_is_kept(tap: Tap) -> None:
    page = {**ADS_PAGE, "redirect_uri": BACK + "?from=tiktok"}
    _, back = await _answer(tap, PORTAL, page, "cancel")
    assert back == {"from": "tiktok", "state": ADS_PAGE["state"]}


@pytest.mark.parametrize(
    ("path", "page", "wrong", "named"),
    [
        (PORTAL, ADS_PAGE, {"app_id": "404"}, "client_key"),
        (PORTAL, ADS_PAGE, {"redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
        (AUTHORIZE, KIT_PAGE, {"client_key": ""}, "client_key"),
        (AUTHORIZE, KIT_PAGE, {"response_type": "token"}, "response_type"),
        (AUTHORIZE, KIT_PAGE, {"scope": ""}, "scope"),
        (AUTHORIZE, KIT_PAGE, {"code_challenge": "x", "code_challenge_method": "plain"}, "S256"),
    ],
)
async def test_a_link_that_cannot_be_served_names_the_parameter(
    tap: Tap, path: str, page: dict[str, str], wrong: dict[str, str], named: str
) -> None:
    status, text = await _page(tap, path, **{**page, **wrong})
    assert status == 400
    assert "unauthorized_client" in text
    assert named in text


async def test_a_registered_redirect_uri_is_the_only_one(tap: Tap) -> None:
    await tap.sim("apps", id=ADS.id, secret=ADS.secret, redirect_uris=[BACK + "/"])
    assert (await _page(tap, PORTAL, **ADS_PAGE))[0] == 400


async def test_what_the_app_says_cannot_become_markup(tap: Tap) -> None:
    await tap.sim("apps", id=ADS.id, secret=ADS.secret, name="<script>alert(1)</script>")
    _, page = await _page(tap, PORTAL, **{**ADS_PAGE, "state": '"><img src=x>'})
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


async def test_another_person_has_other_ad_accounts(tap: Tap) -> None:
    pages = [await _page(tap, PORTAL, **ADS_PAGE, sim_person=who) for who in ("robin", "sam")]
    ids = [set(re.findall(r'name="advertiser" value="(\d+)"', text)) for _, text in pages]
    assert not ids[0] & ids[1]


async def test_the_front_door_says_what_this_is(tap: Tap) -> None:
    status, page = await _page(tap, "/")
    assert (status, BANNER in page) == (200, True)
