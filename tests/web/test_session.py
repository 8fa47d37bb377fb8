"""The session cookie of a browser."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.app import Service
from connector.errors import Unauthenticated
from connector.identity import TICKET_LIFETIME
from connector.model import UserId
from tests.credentials import ANNA, API_KEYS, NOON_TIMESTAMP, hs256_jwt
from tests.manual_clock import ManualClock
from tests.running_service import AS_SERVER

from .conftest import Harness, StartService

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")


async def test_a_session_is_a_cookie_that_no_script_can_read(start_service: StartService) -> None:
    http_service = await start_service()
    response = await http_service.call("POST", "/session", headers=http_service.as_user())
    cookie = response.cookies["connector_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", "1800")


async def test_a_users_session_lasts_as_long_as_the_token_and_at_most_eight_hours(
    harness: Harness,
) -> None:
    for seconds, max_age in ((7200, "7200"), (60, "60"), (10 * 31_536_000, "28800")):
        token = hs256_jwt(exp=NOON_TIMESTAMP + seconds)
        headers = {"Authorization": f"Bearer {token}"}
        response = await harness.call("POST", "/session", headers=headers)
        assert response.cookies["connector_session"]["max-age"] == max_age
        assert response.json["expires_at"].startswith("2026-11-20T")


async def test_a_servers_session_does_not_contain_the_api_key_and_ends_after_eight_hours(
    harness: Harness,
) -> None:
    cookie = await harness.session_cookie(AS_SERVER)
    assert API_KEYS[0] not in cookie
    harness.simulator.clock.advance(8 * 3600 - 1)
    assert (await harness.get("/session", {"Cookie": cookie})).json["kind"] == "server"
    harness.simulator.clock.advance(1)
    assert (await harness.get("/session", {"Cookie": cookie})).status == 401


async def test_a_servers_session_names_the_scopes_of_its_key(start_service: StartService) -> None:
    key = "viewer-key-0123456789abcdef"
    http_service = await start_service(CONNECTOR_API_KEYS=f"viewer:read+metrics:{key}")
    viewer = {"Authorization": f"Bearer {key}"}
    assert (await http_service.get("/session", viewer)).json["scopes"] == ["metrics", "read"]
    cookie = {"Cookie": await http_service.session_cookie(viewer)}
    assert (await http_service.get("/session", cookie)).json["scopes"] == ["metrics", "read"]
    assert (await http_service.get("/session", http_service.as_user())).json["scopes"] is None


async def test_a_session_has_the_display_name_of_its_ticket(harness: Harness) -> None:
    ticket = await harness.post("/tickets", AS_SERVER, user_id=ANNA, display_name=" Anna Schmidt ")
    bearer = {"Authorization": f"Bearer {ticket.json['ticket']}"}
    cookie = {"Cookie": await harness.session_cookie(bearer)}
    for headers in (bearer, cookie):
        session = (await harness.get("/session", headers)).json
        assert (session["user_id"], session["display_name"]) == (ANNA, "Anna Schmidt")
        assert session["signed_in_as"] is None
    assert (await harness.get("/session", harness.as_user())).json["display_name"] is None


async def test_a_page_can_ask_whose_link_it_has_and_who_is_signed_in(harness: Harness) -> None:
    owners = {
        await harness.session_cookie(harness.as_user(BEN)): ("user", BEN),
        await harness.session_cookie(AS_SERVER): ("server", None),
    }
    for cookie, (kind, user_id) in owners.items():
        response = await harness.get("/session", harness.as_user() | {"Cookie": cookie})
        signed_in_as = {"kind": kind, "user_id": user_id, "display_name": None}
        assert (response.json["user_id"], response.json["signed_in_as"]) == (ANNA, signed_in_as)
        assert not response.cookies
    invalid = harness.as_user() | {"Cookie": "connector_session=nonsense"}
    assert (await harness.get("/session", invalid)).json["signed_in_as"] is None


async def test_a_session_cannot_prolong_itself(harness: Harness) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user()), "Origin": harness.url}
    response = await harness.call("POST", "/session", headers=cookie)
    assert (response.status, response.code) == (401, "unauthenticated")


async def test_deleting_a_session_deletes_the_cookie(harness: Harness) -> None:
    cookie = {
        "Cookie": await harness.session_cookie(harness.as_user()),
        "Sec-Fetch-Site": "same-origin",
    }
    response = await harness.call("DELETE", "/session", headers=cookie)
    assert response.json == {"success": True}
    assert response.cookies["connector_session"]["max-age"] == "0"
    assert response.cookies["connector_session"].value == ""


async def test_over_https_a_session_cookie_is_bound_to_the_host(
    start_service: StartService,
) -> None:
    service = await start_service(CONNECTOR_PUBLIC_URL="https://connect.example.com")
    response = await service.call("POST", "/session", headers=service.as_user())
    cookie = response.cookies["__Host-connector_session"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    signed_in = {"Cookie": f"__Host-connector_session={cookie.value}"}
    assert (await service.get("/session", signed_in)).json["kind"] == "user"
    other_name = {"Cookie": f"connector_session={cookie.value}"}
    assert (await service.get("/session", other_name)).status == 401
    page = signed_in | {"Sec-Fetch-Site": "same-origin"}
    response = await service.call("DELETE", "/session", headers=page)
    deleted = response.cookies["__Host-connector_session"]
    assert (deleted.value, deleted["max-age"], deleted["secure"]) == ("", "0", True)


async def test_a_copied_cookie_does_not_work_after_the_sign_out(each_store: Harness) -> None:
    for credentials in (each_store.as_user(), AS_SERVER):
        cookie = await each_store.session_cookie(credentials)
        rewritten = cookie.replace("=ct_", "=")
        assert (await each_store.get("/session", {"Cookie": rewritten})).status == 200
        headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        assert (await each_store.call("DELETE", "/session", headers=headers)).status == 200
        for copy in (cookie, rewritten):
            response = await each_store.get("/connections", {"Cookie": copy})
            assert (response.status, response.code) == (401, "unauthenticated")
            assert response.cookies["connector_session"]["max-age"] == "0"


async def test_a_copied_cookie_does_not_work_in_another_process_after_the_sign_out(
    start_service: StartService,
) -> None:
    first, second = await start_service(), await start_service()
    cookie = await first.session_cookie(AS_SERVER)
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    assert (await second.call("DELETE", "/session", headers=headers)).status == 200
    assert (await first.get("/connections", {"Cookie": cookie})).status == 401


async def test_an_ended_session_stays_ended_for_a_replica_whose_clock_is_behind(
    harness: Harness,
) -> None:
    ended, other = [await harness.session_cookie(harness.as_user()) for _ in range(2)]
    assert await sign_out(harness, ended) == 200
    harness.simulator.clock.advance(TICKET_LIFETIME.total_seconds() + 59 * 60)
    # Ending a session also deletes the rows that are no longer needed.
    assert await sign_out(harness, await harness.session_cookie(AS_SERVER)) == 200
    behind = ManualClock(harness.simulator.clock.now() - timedelta(minutes=60))
    async with Service.build(harness.service.settings, clock=behind) as replica:
        with pytest.raises(Unauthenticated, match="has ended"):
            await replica.sessions.verify(ended.partition("=")[2])
        assert await replica.sessions.verify(other.partition("=")[2])


async def test_signing_out_ends_no_other_session(harness: Harness) -> None:
    ended, other = [await harness.session_cookie(AS_SERVER) for _ in range(2)]
    headers = {"Cookie": ended, "Sec-Fetch-Site": "same-origin"}
    await harness.call("DELETE", "/session", headers=headers)
    assert (await harness.get("/session", {"Cookie": other})).status == 200


async def test_the_session_is_not_ended_if_the_request_has_other_credentials(
    harness: Harness,
) -> None:
    cookie = {"Cookie": await harness.session_cookie(AS_SERVER)}
    assert (await harness.call("DELETE", "/session", headers=cookie | AS_SERVER)).status == 200
    assert (await harness.get("/session", cookie)).status == 200


async def sign_out(harness: Harness, cookie: str) -> int:
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    return (await harness.call("DELETE", "/session", headers=headers)).status
