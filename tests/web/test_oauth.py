"""A start leads to TikTok's consent page, and an exchange turns the code into a connection."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from connector.model import UserId
from tests.credentials import ANNA, JWT_SECRET, KEY_NAMES, NOON_TIMESTAMP, hs256_jwt
from tests.running_service import AS_SERVER, BUSINESS_APP, LOGIN_KIT_APP, unsigned_state

from .conftest import ALLOWED_ORIGIN, Harness, StartService

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
EXCHANGE_PATHS = ("/oauth/exchange", "/tiktok/oauth/exchange", "/api/tiktok/oauth/exchange")


async def test_a_single_advertiser_is_connected_and_selected(each_store: Harness) -> None:
    advertisers = [{"id": "7533163835474346001", "name": "Adlane EU"}]
    response = await each_store.connect(advertisers=advertisers)
    assert response | {"connection_id": None, "ticket": None} == {
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


async def test_a_restart_returns_the_same_consent_link_without_credentials(
    harness: Harness,
) -> None:
    body = {"user_id": ANNA, "family": "accounts"}
    started = await harness.post("/oauth/start", AS_SERVER, **body)
    restarted = await harness.post("/oauth/restart", state=started.json["state"])
    assert (restarted.status, restarted.json) == (200, started.json)


async def test_a_forged_state_gets_no_consent_link(harness: Harness) -> None:
    state = await harness.state()
    response = await harness.post("/oauth/restart", state=state[:-2] + "xx")
    assert (response.status, response.json["code"]) == (400, "invalid_state")


@pytest.mark.parametrize("path", EXCHANGE_PATHS)
async def test_the_code_may_be_posted_to_each_exchange_path(harness: Harness, path: str) -> None:
    state, code = await harness.state(), await harness.simulator.consent()
    response = await harness.post(path, auth_code=code, state=state, redirect_uri="x", more={})
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_a_family_without_advertisers_needs_no_selection(
    each_store: Harness, family: str
) -> None:
    response = await each_store.connect(family=family)
    assert (response["family"], response["selection_required"]) == (family, False)
    assert (response["business_id"], response["ticket"]) == (None, None)


@pytest.mark.parametrize(
    ("family", "parameter"),
    [("marketing", "auth_code"), ("accounts", "code"), ("login_kit", "code")],
)
async def test_the_familys_own_code_parameter_takes_precedence(
    harness: Harness, family: str, parameter: str
) -> None:
    codes = {"auth_code": "another", "code": "another"}
    codes[parameter] = f" {await harness.simulator.consent(family)}\n"
    response = await harness.post(
        "/oauth/exchange", **codes, state=await harness.state(family=family)
    )
    assert response.status == 200, response.text


async def test_25_concurrent_posts_of_one_code_get_equal_responses_from_one_exchange(
    harness: Harness,
) -> None:
    body = {"code": await harness.simulator.consent(advertisers=3), "state": await harness.state()}
    responses = await asyncio.gather(*(harness.post("/oauth/exchange", **body) for _ in range(25)))
    assert {response.status for response in responses} == {200}
    assert len({response.text for response in responses}) == 1
    assert (await harness.simulator.stats())["exchanges"] == 1


async def test_a_percent_encoded_code_is_not_decoded(harness: Harness) -> None:
    code = (await harness.simulator.consent("login_kit")).replace("*", "%2A")
    response = await harness.post(
        "/oauth/exchange", code=code, state=await harness.state(family="login_kit")
    )
    assert (response.status, response.code) == (400, "code_spent")


async def test_a_signed_in_user_cannot_exchange_the_code_of_another_user(harness: Harness) -> None:
    body = {"code": await harness.simulator.consent(), "state": await harness.state(user_id=BEN)}
    response = await harness.post("/oauth/exchange", harness.as_user(ANNA), **body)
    assert (response.status, response.code) == (403, "wrong_user")
    assert (await harness.post("/oauth/exchange", harness.as_user(BEN), **body)).status == 200


async def test_an_exchange_with_invalid_credentials_is_rejected_although_no_credentials_are_required(
    harness: Harness,
) -> None:
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    response = await harness.post("/oauth/exchange", {"Authorization": "Bearer wrong"}, **body)
    assert (response.status, response.code) == (401, "unauthenticated")
    assert (await harness.simulator.stats())["exchanges"] == 0


ANON = jwt.encode({"role": "anon", "iss": "supabase", "exp": NOON_TIMESTAMP + 3600}, JWT_SECRET)
"""supabase-js sends this key as Authorization without a signed-in user; newer projects use the other."""


@pytest.mark.parametrize("key", [ANON, "sb_publishable_0123456789"])
async def test_an_exchange_treats_the_projects_public_key_as_no_credentials(
    harness: Harness, key: str
) -> None:
    public_key = {"Authorization": f"Bearer {key}"}
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    assert (await harness.post("/oauth/exchange", public_key, **body)).status == 200
    unsigned = {"code": "c", "state": unsigned_state(ANNA, NOON_TIMESTAMP)}
    assert (await harness.post("/oauth/exchange", public_key, **unsigned)).code == "invalid_state"
    connections = await harness.get("/connections", public_key)
    assert (connections.status, connections.code) == (401, "unauthenticated")


async def test_an_exchange_rejects_other_invalid_tokens_of_the_project(harness: Harness) -> None:
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    for token in (
        jwt.encode({"role": "service_role"}, JWT_SECRET),
        hs256_jwt(exp=NOON_TIMESTAMP - 60),
    ):
        response = await harness.post(
            "/oauth/exchange", {"Authorization": f"Bearer {token}"}, **body
        )
        assert (response.status, response.code) == (401, "unauthenticated")


async def test_the_attempt_names_who_posted_the_code(harness: Harness) -> None:
    for headers, actor in (
        (None, "person"),
        (harness.as_user(), "user"),
        (AS_SERVER, KEY_NAMES[0]),
    ):
        body = {"code": await harness.simulator.consent(), "state": await harness.state()}
        connection_id = (await harness.post("/oauth/exchange", headers, **body)).json[
            "connection_id"
        ]
        attempts = (await harness.get(f"/connections/{connection_id}/attempts", AS_SERVER)).json[
            "attempts"
        ]
        assert attempts[0]["actor"] == actor


async def test_an_unsigned_state_requires_the_signed_in_user_or_the_setting(
    start_service: StartService,
) -> None:
    strict = await start_service()
    body = {"code": await strict.simulator.consent(), "state": unsigned_state(ANNA, NOON_TIMESTAMP)}
    rejected = await strict.post("/oauth/exchange", **body)
    assert (rejected.status, rejected.code) == (400, "invalid_state")
    signed_in = {"Authorization": f"Bearer {hs256_jwt()}"}
    assert (await strict.post("/oauth/exchange", signed_in, **body)).status == 200
    lenient = await start_service(CONNECTOR_ACCEPT_UNSIGNED_STATE="true")
    body = {
        "code": await strict.simulator.consent(),
        "state": unsigned_state(ANNA, NOON_TIMESTAMP - 1),
    }
    assert (await lenient.post("/oauth/exchange", **body)).status == 200


async def test_an_exchange_returns_the_access_token_only_if_the_setting_is_on(
    start_service: StartService,
) -> None:
    assert "access_token" not in await (await start_service()).connect()
    harness = await start_service(CONNECTOR_RETURN_ACCESS_TOKEN="true")
    response = await harness.connect()
    token = await harness.get(f"/connections/{response['connection_id']}/token", AS_SERVER)
    assert response["access_token"] == token.json["access_token"]


async def test_a_repeated_exchange_returns_the_newest_access_token_until_the_state_expires(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_RETURN_ACCESS_TOKEN="true")
    body = {
        "code": await harness.simulator.consent("login_kit"),
        "state": await harness.state(family="login_kit"),
    }
    first = (await harness.post("/oauth/exchange", **body)).json
    await harness.post(f"/connections/{first['connection_id']}/refresh", AS_SERVER)
    repeated = (await harness.post("/oauth/exchange", **body)).json
    token = (await harness.get(f"/connections/{first['connection_id']}/token", AS_SERVER)).json
    assert first["access_token"] != repeated["access_token"] == token["access_token"]
    harness.simulator.clock.advance(3601)
    assert (await harness.post("/oauth/exchange", **body)).code == "state_expired"


async def test_a_start_returns_a_consent_link_that_contains_the_state(harness: Harness) -> None:
    for family, app in (
        ("marketing", BUSINESS_APP),
        ("accounts", BUSINESS_APP),
        ("login_kit", LOGIN_KIT_APP),
    ):
        response = await harness.post("/oauth/start", harness.as_user(), family=family)
        url = urlsplit(response.json["url"])
        query = parse_qs(url.query)
        assert query["state"] == [response.json["state"]]
        assert app.id in (query.get("app_id") or query["client_key"])
        assert query["redirect_uri"] == [f"{harness.url}/oauth/callback"]


async def test_a_get_start_redirects_to_the_consent_page(harness: Harness) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user())}
    response = await harness.get("/oauth/start?family=marketing&return_to=/status", cookie)
    assert response.status == 302
    assert response.headers["Location"].startswith(f"{harness.simulator.url}/portal/auth?")
    anonymous = await harness.get("/oauth/start", {"Accept": "text/html"})
    assert (anonymous.status, anonymous.code) == (401, "unauthenticated")


async def test_a_redirect_uri_must_match_the_setting_exactly(
    start_service: StartService,
) -> None:
    redirect_uris = "https://app.example.com/cb,https://www.example.com/cb"
    harness = await start_service(TIKTOK_REDIRECT_URI=redirect_uris)
    for uri in redirect_uris.split(","):
        assert (
            await harness.post("/oauth/start", harness.as_user(), redirect_uri=uri)
        ).status == 200
    for uri in ("https://app.example.com/cb/", "https://APP.example.com/cb", "https://evil.test/"):
        response = await harness.post("/oauth/start", harness.as_user(), redirect_uri=uri)
        assert (response.status, response.code) == (400, "invalid_request")
        assert "TIKTOK_REDIRECT_URI" in response.json["error"]


async def test_an_exchange_returns_the_return_address_from_the_state(harness: Harness) -> None:
    for return_to in ("/status?tab=1", f"{ALLOWED_ORIGIN}/done", f"{harness.url}/connect"):
        state = await harness.state(return_to=return_to)
        body = {"code": await harness.simulator.consent(), "state": state, "return_to": "https://x"}
        assert (await harness.post("/oauth/exchange", **body)).json["return_to"] == return_to


@pytest.mark.parametrize("return_to", ["https://evil.test/", "//evil.test", "/" + "x" * 1024])
async def test_a_start_rejects_a_return_address_of_another_site(
    harness: Harness, return_to: str
) -> None:
    post_response = await harness.post("/oauth/start", harness.as_user(), return_to=return_to)
    get_response = await harness.get(f"/oauth/start?return_to={return_to}", harness.as_user())
    for response in (post_response, get_response):
        assert (response.status, response.code) == (400, "invalid_request")
        assert response.json["error"].startswith("return_to")


async def test_a_server_must_name_the_user_and_a_user_may_only_name_themselves(
    harness: Harness,
) -> None:
    unnamed = await harness.post("/oauth/start", AS_SERVER)
    assert (unnamed.status, unnamed.code) == (400, "invalid_request")
    assert "user_id" in unnamed.json["error"]
    assert (
        await harness.post("/oauth/start", harness.as_user(), user_id=ANNA.upper())
    ).status == 200
    other = await harness.post("/oauth/start", harness.as_user(), user_id=BEN)
    assert (other.status, other.code) == (403, "forbidden")


async def test_a_start_for_a_family_without_credentials_names_its_settings(
    start_service: StartService,
) -> None:
    harness = await start_service(TIKTOK_CLIENT_KEY="", TIKTOK_CLIENT_SECRET="")
    response = await harness.post("/oauth/start", harness.as_user(), family="login_kit")
    assert (response.status, response.code) == (400, "invalid_request")
    assert "TIKTOK_CLIENT_KEY" in response.json["error"]
    unknown = await harness.post("/oauth/start", harness.as_user(), family="shop")
    assert "family must be one of" in unknown.json["error"]


async def test_a_start_without_a_body_uses_the_marketing_family(harness: Harness) -> None:
    response = await harness.call("POST", "/oauth/start", headers=harness.as_user())
    assert "/portal/auth" in response.json["url"]
