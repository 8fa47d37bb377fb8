"""A state that a user started for our own callback page works only in the browser of the start."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from connector.model import UserId
from tests.credentials import ANNA, NOON_TIMESTAMP, hs256_jwt
from tests.running_service import AS_SERVER, unsigned_state

from .conftest import ALLOWED_ORIGIN, Harness, Response, StartService

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
EXCHANGE_PATHS = ("/oauth/exchange", "/tiktok/oauth/exchange", "/api/tiktok/oauth/exchange")
OWN_PAGE = "https://app.example.com/cb"


def state_cookies(response: Response) -> dict[str, str]:
    """Returns the cookies that the response sets; a deleted cookie is empty."""
    cookies = response.cookies.items()
    return {name: morsel.value for name, morsel in cookies if name.startswith("connector_state_")}


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def start(harness: Harness, headers: dict[str, str] | None = None, **body: str) -> Response:
    response = await harness.post("/oauth/start", harness.as_user() | (headers or {}), **body)
    assert response.status == 200, response.text
    return response


async def exchange(
    harness: Harness, state: str, headers: dict[str, str] | None = None, *, path: str = ""
) -> Response:
    code = await harness.simulator.consent()
    return await harness.post(path or "/oauth/exchange", headers, code=code, state=state)


@pytest.mark.parametrize("path", EXCHANGE_PATHS)
async def test_a_bound_state_cannot_be_exchanged_without_its_cookie(
    harness: Harness, path: str
) -> None:
    started = await start(harness)
    for headers in (None, harness.as_user(), AS_SERVER, {"Cookie": "connector_state_x=y"}):
        response = await exchange(harness, started.json["state"], headers, path=path)
        assert (response.status, response.code) == (400, "invalid_state")
        assert "another browser" in response.json["error"]
    assert (await harness.simulator.stats())["exchanges"] == 0
    cookie = cookie_header(state_cookies(started))
    assert (await exchange(harness, started.json["state"], cookie, path=path)).status == 200


async def test_the_cookie_of_another_state_does_not_help(harness: Harness) -> None:
    victim, stranger = await start(harness), await start(harness, harness.as_user(BEN))
    (secret,) = state_cookies(victim).values()
    (name,) = state_cookies(stranger)
    for cookies in (state_cookies(victim), {name: secret}, {name: "\xff"}, {name: ""}):
        response = await exchange(harness, stranger.json["state"], cookie_header(cookies))
        assert (response.status, response.code) == (400, "invalid_state")


async def test_the_cookie_is_short_lived_and_no_script_can_read_it(
    start_service: StartService,
) -> None:
    (cookie,) = (await start(await start_service())).cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/oauth")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", "3600")
    https = await start_service(
        CONNECTOR_PUBLIC_URL="https://connect.example.com", CONNECTOR_STATE_MINUTES="5"
    )
    (cookie,) = (await start(https)).cookies.values()
    assert (cookie["secure"], cookie["max-age"]) == (True, "300")


@pytest.mark.parametrize("credentials", ["ticket", "session"])
async def test_a_get_start_of_one_of_our_pages_binds_its_state_too(
    harness: Harness, credentials: str
) -> None:
    headers = harness.as_user()
    if credentials == "session":
        cookie = await harness.session_cookie(headers)
        headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    response = await harness.get("/oauth/start", headers)
    assert (response.status, len(state_cookies(response))) == (302, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
async def test_a_link_to_the_start_in_a_message_or_on_another_page_must_be_confirmed(
    harness: Harness, headers: dict[str, str]
) -> None:
    session = {"Cookie": await harness.session_cookie(harness.as_user())}
    response = await harness.get("/oauth/start", session | headers)
    assert (response.status, state_cookies(response)) == (302, {})
    (state,) = parse_qs(urlsplit(response.headers["Location"]).query)["state"]
    description = await harness.post("/oauth/state", session, state=state)
    assert description.json["confirmation_required"] is True


async def test_a_user_token_binds_its_state_too(harness: Harness) -> None:
    token = {"Authorization": f"Bearer {hs256_jwt()}"}
    assert state_cookies(await start(harness, token))


async def test_several_states_of_one_browser_work_at_the_same_time(harness: Harness) -> None:
    first, second = await start(harness), await start(harness)
    cookies = cookie_header(state_cookies(first) | state_cookies(second))
    for started in (first, second):
        assert (await exchange(harness, started.json["state"], cookies)).status == 200


async def test_a_repeated_exchange_with_the_cookie_gets_the_first_response(
    harness: Harness,
) -> None:
    started = await start(harness)
    body = {"code": await harness.simulator.consent(), "state": started.json["state"]}
    cookie = cookie_header(state_cookies(started))
    first, second = [await harness.post("/oauth/exchange", cookie, **body) for _ in range(2)]
    assert (first.status, first.text) == (200, second.text)


async def test_a_browser_has_at_most_16_cookies_of_states(harness: Harness) -> None:
    cookies: dict[str, str] = {}
    for _ in range(18):
        cookies |= state_cookies(await start(harness, cookie_header(cookies)))
        names = list(cookies)
        cookies = {name: value for name, value in cookies.items() if value}
    assert len(cookies) == 16
    assert list(cookies) == names[-16:]


async def test_a_state_of_a_server_is_not_bound(harness: Harness) -> None:
    response = await harness.post("/oauth/start", AS_SERVER, user_id=ANNA)
    assert state_cookies(response) == {}
    assert (await exchange(harness, response.json["state"])).status == 200


async def test_a_state_for_a_customers_own_callback_page_is_not_bound(
    start_service: StartService,
) -> None:
    harness = await start_service(TIKTOK_REDIRECT_URI=OWN_PAGE)
    response = await start(harness)
    assert state_cookies(response) == {}
    assert (await exchange(harness, response.json["state"])).status == 200


async def test_a_page_of_another_origin_gets_a_state_that_must_be_confirmed(
    harness: Harness,
) -> None:
    foreign = await start(harness, {"Origin": ALLOWED_ORIGIN})
    assert state_cookies(foreign) == {}
    description = await harness.post("/oauth/state", state=foreign.json["state"])
    assert description.json["confirmation_required"] is True
    assert state_cookies(await start(harness, {"Origin": harness.url}))


# The description of a state, which our callback page reads first.


async def test_the_description_of_a_state_says_if_the_person_must_confirm(
    harness: Harness,
) -> None:
    bound, unbound = await start(harness), await harness.state()
    cookie = cookie_header(state_cookies(bound))
    description = {"user_id": ANNA, "family": "marketing"}
    response = await harness.post("/oauth/state", cookie, state=bound.json["state"])
    assert response.json == description | {"confirmation_required": False}
    response = await harness.post("/oauth/state", cookie, state=unbound)
    assert response.json == description | {"confirmation_required": True}


async def test_the_description_of_a_state_has_the_same_errors_as_the_exchange(
    harness: Harness,
) -> None:
    bound = (await start(harness)).json["state"]
    for state, headers, status, code in (
        ("forged", None, 400, "invalid_state"),
        (unsigned_state(ANNA, NOON_TIMESTAMP), None, 400, "invalid_state"),
        (bound, None, 400, "invalid_state"),
        (await harness.state(), harness.as_user(BEN), 403, "wrong_user"),
    ):
        response = await harness.post("/oauth/state", headers, state=state)
        assert (response.status, response.code) == (status, code)


# CONNECTOR_REQUIRE_USER.


async def test_an_exchange_must_bring_the_user_if_the_setting_is_on(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_REQUIRE_USER="true", TIKTOK_REDIRECT_URI=OWN_PAGE)
    for path in EXCHANGE_PATHS:
        refused = await exchange(harness, await harness.state(), path=path)
        assert (refused.status, refused.code) == (401, "unauthenticated")
        assert "Authorization" in refused.json["error"]
    other = await exchange(harness, await harness.state(), harness.as_user(BEN))
    assert (other.status, other.code) == (403, "wrong_user")
    assert (await harness.simulator.stats())["exchanges"] == 0


async def test_a_token_a_ticket_a_session_and_a_server_key_count_as_the_user(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_REQUIRE_USER="true", TIKTOK_REDIRECT_URI=OWN_PAGE)
    session = {"Cookie": await harness.session_cookie(harness.as_user()), "Origin": harness.url}
    token = {"Authorization": f"Bearer {hs256_jwt()}"}
    for headers in (token, harness.as_user(), session, AS_SERVER):
        response = await exchange(harness, await harness.state(), headers)
        assert response.status == 200, response.text


async def test_a_bound_state_on_our_own_callback_page_counts_as_the_user(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_REQUIRE_USER="true")
    started = await start(harness)
    cookie = cookie_header(state_cookies(started))
    assert (await exchange(harness, started.json["state"], cookie)).status == 200


async def test_an_accepted_unsigned_state_does_not_count_as_the_user(
    start_service: StartService,
) -> None:
    harness = await start_service(
        CONNECTOR_REQUIRE_USER="true", CONNECTOR_ACCEPT_UNSIGNED_STATE="true"
    )
    response = await exchange(harness, unsigned_state(ANNA, NOON_TIMESTAMP))
    assert (response.status, response.code) == (401, "unauthenticated")
