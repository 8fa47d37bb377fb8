"""Links for people without a login, and what their browser keeps."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from tests.clocks import NOON
from tests.houses import AS_SERVER
from tests.people import ANNA, KEYS, NOW, hs256

from .conftest import OURS, Opening, Site


async def test_a_link_carries_its_ticket_where_no_log_sees_it(site: Site) -> None:
    said = (await site.post("/tickets", AS_SERVER, user_id=ANNA, return_to=f"{OURS}/a?b=c&d")).said
    link = urlsplit(said["url"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{site.url}/connect"
    fragment = parse_qs(link.fragment)
    assert fragment == {"ticket": [said["ticket"]], "return_to": [f"{OURS}/a?b=c&d"]}
    assert not link.query
    assert (datetime.fromisoformat(said["expires_at"]) - NOON).total_seconds() == 1800


async def test_a_link_leads_nobody_to_another_site(site: Site) -> None:
    answer = await site.post("/tickets", AS_SERVER, user_id=ANNA, return_to="//evil.test")
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_a_ticket_needs_a_user(site: Site) -> None:
    assert "user_id is missing" in (await site.post("/tickets", AS_SERVER)).said["error"]
    assert "UUID" in (await site.post("/tickets", AS_SERVER, user_id="anna")).said["error"]


async def test_a_session_is_a_cookie_no_script_can_read(opening: Opening) -> None:
    plain = await opening()
    answer = await plain.call("POST", "/session", headers=plain.user())
    cookie = answer.cookies["connector_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", "1800")
    secure = await opening(CONNECTOR_PUBLIC_URL="https://connect.example.com")
    answer = await secure.call("POST", "/session", headers=secure.user())
    assert answer.cookies["connector_session"]["secure"] is True


async def test_a_users_session_lasts_as_long_as_what_opened_it(site: Site) -> None:
    for seconds, lasts in ((7200, "7200"), (60, "1800")):
        token = hs256(exp=NOW + seconds)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await site.call("POST", "/session", headers=headers)
        assert answer.cookies["connector_session"]["max-age"] == lasts
        assert answer.said["expires_at"].startswith("2026-11-20T1")


async def test_a_servers_session_holds_no_key_and_ends_after_eight_hours(site: Site) -> None:
    cookie = await site.session(AS_SERVER)
    assert KEYS[0] not in cookie
    site.simulator.clock.turn(8 * 3600 - 1)
    assert (await site.get("/session", {"Cookie": cookie})).said["kind"] == "server"
    site.simulator.clock.turn(1)
    assert (await site.get("/session", {"Cookie": cookie})).status == 401


async def test_a_session_does_not_prolong_itself(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user()), "Origin": site.url}
    answer = await site.call("POST", "/session", headers=cookie)
    assert (answer.status, answer.code) == (401, "unauthenticated")


async def test_ending_a_session_forgets_the_cookie(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user()), "Sec-Fetch-Site": "same-origin"}
    answer = await site.call("DELETE", "/session", headers=cookie)
    assert answer.said == {"success": True}
    assert answer.cookies["connector_session"]["max-age"] == "0"
    assert answer.cookies["connector_session"].value == ""
