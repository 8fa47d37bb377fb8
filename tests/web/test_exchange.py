"""From the callback page to a connection, as its programs speak it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from connector.model import UserId
from tests.houses import ADS, AS_SERVER, KIT, unsigned_state
from tests.people import ANNA, NOW, SECRET, hs256

from .conftest import OURS, Opening, Site

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
ADDRESSES = ("/oauth/exchange", "/tiktok/oauth/exchange", "/api/tiktok/oauth/exchange")


async def test_one_advertiser_is_connected_and_chosen(anywhere: Site) -> None:
    advertisers = [{"id": "7533163835474346001", "name": "Adlane EU"}]
    answer = await anywhere.connected(advertisers=advertisers)
    assert answer | {"connection_id": None, "ticket": None} == {
        "success": True,
        "connection_id": None,
        "business_id": "7533163835474346001",
        "account_id": "Adlane EU",
        "advertisers": advertisers,
        "selection_required": False,
        "message": "TikTok connected successfully",
        "family": "marketing",
        "return_to": None,
        "ticket": None,
    }


@pytest.mark.parametrize("address", ADDRESSES)
async def test_the_code_may_be_posted_to_any_of_the_addresses(site: Site, address: str) -> None:
    state, code = await site.state(), await site.simulator.consent()
    answer = await site.post(address, auth_code=code, state=state, redirect_uri="x", more={})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_the_other_families_need_no_choice(anywhere: Site, family: str) -> None:
    answer = await anywhere.connected(family=family)
    assert (answer["family"], answer["selection_required"]) == (family, False)
    assert (answer["business_id"], answer["ticket"]) == (None, None)


@pytest.mark.parametrize(
    ("family", "named"), [("marketing", "auth_code"), ("accounts", "code"), ("login_kit", "code")]
)
async def test_of_two_codes_the_familys_own_counts(site: Site, family: str, named: str) -> None:
    codes = {"auth_code": "another", "code": "another"}
    codes[named] = f" {await site.simulator.consent(family)}\n"
    answer = await site.post("/oauth/exchange", **codes, state=await site.state(family=family))
    assert answer.status == 200, answer.text


async def test_twenty_five_at_once_get_one_answer_for_one_exchange(site: Site) -> None:
    body = {"code": await site.simulator.consent(advertisers=3), "state": await site.state()}
    answers = await asyncio.gather(*(site.post("/oauth/exchange", **body) for _ in range(25)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert (await site.simulator.stats())["exchanges"] == 1


async def test_a_code_in_percent_signs_is_not_decoded_again(site: Site) -> None:
    code = (await site.simulator.consent("login_kit")).replace("*", "%2A")
    answer = await site.post(
        "/oauth/exchange", code=code, state=await site.state(family="login_kit")
    )
    assert (answer.status, answer.code) == (400, "code_spent")


async def test_a_signed_in_person_cannot_finish_what_another_began(site: Site) -> None:
    body = {"code": await site.simulator.consent(), "state": await site.state(user_id=BEN)}
    answer = await site.post("/oauth/exchange", site.user(ANNA), **body)
    assert (answer.status, answer.code) == (403, "wrong_user")
    assert (await site.post("/oauth/exchange", site.user(BEN), **body)).status == 200


async def test_credentials_that_do_not_hold_are_refused_though_none_are_needed(site: Site) -> None:
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    answer = await site.post("/oauth/exchange", {"Authorization": "Bearer wrong"}, **body)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert (await site.simulator.stats())["exchanges"] == 0


ANON = jwt.encode({"role": "anon", "iss": "supabase", "exp": NOW + 3600}, SECRET)
"""What supabase-js sends as Authorization while nobody is signed in; or, in newer projects, the other."""


@pytest.mark.parametrize("key", [ANON, "sb_publishable_0123456789"])
async def test_the_key_that_everybody_has_is_nobody_where_nobody_may_come(
    site: Site, key: str
) -> None:
    everybody = {"Authorization": f"Bearer {key}"}
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    assert (await site.post("/oauth/exchange", everybody, **body)).status == 200
    unsigned = {"code": "c", "state": unsigned_state(ANNA, NOW)}
    assert (await site.post("/oauth/exchange", everybody, **unsigned)).code == "invalid_state"
    elsewhere = await site.get("/connections", everybody)
    assert (elsewhere.status, elsewhere.code) == (401, "unauthenticated")


async def test_no_other_token_of_the_project_is_taken_for_nobody(site: Site) -> None:
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    for token in (jwt.encode({"role": "service_role"}, SECRET), hs256(exp=NOW - 60)):
        answer = await site.post("/oauth/exchange", {"Authorization": f"Bearer {token}"}, **body)
        assert (answer.status, answer.code) == (401, "unauthenticated")


async def test_who_brought_the_code_is_written_down(site: Site) -> None:
    for headers, who in ((None, "person"), (site.user(), "user"), (AS_SERVER, "server key 1")):
        body = {"code": await site.simulator.consent(), "state": await site.state()}
        id = (await site.post("/oauth/exchange", headers, **body)).said["connection_id"]
        attempts = (await site.get(f"/connections/{id}/attempts", AS_SERVER)).said["attempts"]
        assert attempts[0]["who"] == who


async def test_an_unsigned_state_needs_somebody_to_vouch_for_it(opening: Opening) -> None:
    strict = await opening()
    body = {"code": await strict.simulator.consent(), "state": unsigned_state(ANNA, NOW)}
    refused = await strict.post("/oauth/exchange", **body)
    assert (refused.status, refused.code) == (400, "invalid_state")
    signed_in = {"Authorization": f"Bearer {hs256()}"}
    assert (await strict.post("/oauth/exchange", signed_in, **body)).status == 200
    lenient = await opening(CONNECTOR_ACCEPT_UNSIGNED_STATE="true")
    body["code"] = await strict.simulator.consent()
    assert (await lenient.post("/oauth/exchange", **body)).status == 200


async def test_the_access_token_is_in_the_answer_only_if_the_operator_says_so(
    opening: Opening,
) -> None:
    assert "access_token" not in await (await opening()).connected()
    site = await opening(CONNECTOR_RETURN_ACCESS_TOKEN="true")
    answer = await site.connected()
    told = await site.get(f"/connections/{answer['connection_id']}/token", AS_SERVER)
    assert answer["access_token"] == told.said["access_token"]


async def test_code_and_state_are_worth_a_fresh_access_token_while_the_state_lives(
    opening: Opening,
) -> None:
    site = await opening(CONNECTOR_RETURN_ACCESS_TOKEN="true")
    body = {
        "code": await site.simulator.consent("login_kit"),
        "state": await site.state(family="login_kit"),
    }
    first = (await site.post("/oauth/exchange", **body)).said
    await site.post(f"/connections/{first['connection_id']}/refresh", AS_SERVER)
    again = (await site.post("/oauth/exchange", **body)).said
    told = (await site.get(f"/connections/{first['connection_id']}/token", AS_SERVER)).said
    assert first["access_token"] != again["access_token"] == told["access_token"]
    site.simulator.clock.turn(3601)
    assert (await site.post("/oauth/exchange", **body)).code == "state_expired"


async def test_the_start_leads_to_tiktok_and_carries_a_state(site: Site) -> None:
    for family, app in (("marketing", ADS), ("accounts", ADS), ("login_kit", KIT)):
        answer = await site.post("/oauth/start", site.user(), family=family)
        url = urlsplit(answer.said["url"])
        query = parse_qs(url.query)
        assert query["state"] == [answer.said["state"]]
        assert app.id in (query.get("app_id") or query["client_key"])
        assert query["redirect_uri"] == [f"{site.url}/oauth/callback"]


async def test_a_link_on_a_page_leads_there_too(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user())}
    answer = await site.get("/oauth/start?family=marketing&return_to=/status", cookie)
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{site.simulator.url}/portal/auth?")
    stranger = await site.get("/oauth/start", {"Accept": "text/html"})
    assert (stranger.status, stranger.code) == (401, "unauthenticated")


async def test_where_tiktok_sends_people_back_to_is_compared_to_the_letter(
    opening: Opening,
) -> None:
    redirect_uris = "https://app.example.com/cb,https://www.example.com/cb"
    site = await opening(TIKTOK_REDIRECT_URI=redirect_uris)
    for uri in redirect_uris.split(","):
        assert (await site.post("/oauth/start", site.user(), redirect_uri=uri)).status == 200
    for uri in ("https://app.example.com/cb/", "https://APP.example.com/cb", "https://evil.test/"):
        answer = await site.post("/oauth/start", site.user(), redirect_uri=uri)
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert "TIKTOK_REDIRECT_URI" in answer.said["error"]


async def test_they_come_back_to_where_they_wanted_if_the_state_says_so(site: Site) -> None:
    for return_to in ("/status?tab=1", f"{OURS}/done", f"{site.url}/connect"):
        state = await site.state(return_to=return_to)
        body = {"code": await site.simulator.consent(), "state": state, "return_to": "https://x"}
        assert (await site.post("/oauth/exchange", **body)).said["return_to"] == return_to


@pytest.mark.parametrize("return_to", ["https://evil.test/", "//evil.test", "/" + "x" * 1024])
async def test_nobody_is_led_astray(site: Site, return_to: str) -> None:
    posted = await site.post("/oauth/start", site.user(), return_to=return_to)
    followed = await site.get(f"/oauth/start?return_to={return_to}", site.user())
    for answer in (posted, followed):
        assert (answer.status, answer.code) == (400, "invalid_request")
        assert answer.said["error"].startswith("return_to")


async def test_a_server_says_for_whom_and_a_user_only_for_themself(site: Site) -> None:
    unnamed = await site.post("/oauth/start", AS_SERVER)
    assert (unnamed.status, unnamed.code) == (400, "invalid_request")
    assert "user_id" in unnamed.said["error"]
    assert (await site.post("/oauth/start", site.user(), user_id=ANNA.upper())).status == 200
    other = await site.post("/oauth/start", site.user(), user_id=BEN)
    assert (other.status, other.code) == (403, "forbidden")


async def test_a_family_that_is_not_switched_on_names_its_settings(opening: Opening) -> None:
    site = await opening(TIKTOK_CLIENT_KEY="", TIKTOK_CLIENT_SECRET="")
    answer = await site.post("/oauth/start", site.user(), family="login_kit")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert "TIKTOK_CLIENT_KEY" in answer.said["error"]
    unknown = await site.post("/oauth/start", site.user(), family="shop")
    assert "family must be one of" in unknown.said["error"]


async def test_a_start_without_a_body_is_for_marketing(site: Site) -> None:
    answer = await site.call("POST", "/oauth/start", headers=site.user())
    assert "/portal/auth" in answer.said["url"]
