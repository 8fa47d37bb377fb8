"""Who may do what, and that nobody may unless it is written down."""

from __future__ import annotations

import re

import pytest
from aiohttp import web

from connector.model import UserId
from connector.web import access
from connector.web.routes import TABLE, application
from tests.houses import AS_SERVER
from tests.people import ANNA, KEYS, hs256

from .conftest import OURS, Opening, Site

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
NOWHERE = "11111111-2222-3333-4444-555555555555"
LISTS = (access.PUBLIC, access.USER, access.SERVER)

ROUTES = [(method, path) for method, path, _ in TABLE]
GUARDED = [(method, path) for method, path in ROUTES if path not in access.PUBLIC]


def reached(path: str) -> str:
    return re.sub("{id}", NOWHERE, path)


def addresses(app: web.Application) -> set[str]:
    return {resource.canonical for resource in app.router.resources()}


def test_every_address_stands_in_just_one_list() -> None:
    listed = [address for those in LISTS for address in those]
    assert sorted(listed) == sorted(addresses(application()))
    assert access.USER >= access.PICKER


async def test_an_address_in_no_list_is_closed_to_everybody(opening: Opening) -> None:
    site = await opening()
    app = site.house.application()

    async def secret(_: web.Request) -> web.Response:
        return web.Response(text="secret")

    app.router.add_get("/forgotten", secret)
    app.cleanup_ctx.clear()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/forgotten"
    async with site.http.get(url, headers=AS_SERVER) as answer:
        assert answer.status == 500
        assert (await answer.json())["code"] == "internal_error"
    await runner.cleanup()


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_credentials_nothing_but_the_public_opens(
    site: Site, method: str, path: str
) -> None:
    answer = await site.call(method, reached(path))
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [r for r in GUARDED if r[1] in access.SERVER])
async def test_a_user_never_gets_what_is_for_servers(site: Site, method: str, path: str) -> None:
    answer = await site.call(method, reached(path), headers=site.user())
    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [r for r in GUARDED if r[1] not in access.PICKER])
async def test_a_picker_passes_only_where_it_is_named(site: Site, method: str, path: str) -> None:
    picker = site.house.identity.mint(ANNA, connection_id=NOWHERE)
    headers = {"Authorization": f"Bearer {picker.text}"}
    answer = await site.call(method, reached(path), headers=headers)
    assert (answer.status, answer.code) == (403, "forbidden")


async def test_a_picker_is_no_way_to_a_session_or_an_exchange(site: Site) -> None:
    picker = {"Authorization": f"Bearer {(await site.connected(advertisers=2))['ticket']}"}
    for path in ("/session", "/oauth/exchange"):
        answer = await site.post(path, picker, code="c", state="s")
        assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if "{id}" in r[1]])
async def test_somebody_elses_connection_does_not_exist(site: Site, method: str, path: str) -> None:
    id = (await site.connected(user_id=BEN))["connection_id"]
    for headers in (site.user(ANNA), AS_SERVER):
        mine = await site.call(method, reached(path), headers=headers)
        assert mine.status in (404, 403)
    answer = await site.call(method, path.replace("{id}", id), headers=site.user(ANNA))
    assert answer.status == (403 if path in access.SERVER else 404)


async def test_every_kind_of_credential_opens(site: Site) -> None:
    credentials = [
        (AS_SERVER, "server"),
        ({"X-API-Key": KEYS[1]}, "server"),
        (site.user(), "user"),
        ({"Authorization": f"Bearer {hs256()}"}, "user"),
        ({"Authorization": f"Bearer {(await site.connected())['ticket']}"}, "picker"),
        ({"Cookie": await site.session(site.user())}, "user"),
        ({"Cookie": await site.session(AS_SERVER)}, "server"),
    ]
    for headers, kind in credentials:
        assert (await site.get("/session", headers)).said["kind"] == kind


async def test_a_header_outweighs_the_cookie(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user(BEN))}
    answer = await site.get("/session", cookie | site.user(ANNA))
    assert answer.said["user_id"] == ANNA
    refused = await site.get("/session", cookie | {"Authorization": "Bearer wrong"})
    assert refused.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": OURS},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_cannot_act_by_the_cookie(
    site: Site, headers: dict[str, str]
) -> None:
    id = (await site.connected())["connection_id"]
    cookie = {"Cookie": await site.session(site.user())} | headers
    for method, path in (
        ("DELETE", f"/connections/{id}"),
        ("POST", f"/connections/{id}/refresh"),
        ("POST", "/oauth/start"),
        ("DELETE", "/session"),
    ):
        answer = await site.call(method, path, headers=cookie)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert (await site.get(f"/connections/{id}", cookie)).said["status"] == "active"


async def test_our_own_page_can(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user())}
    for origin in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": site.url},
    ):
        assert (await site.call("POST", "/oauth/start", headers=cookie | origin)).status == 200


async def test_in_the_exchange_a_cookie_another_page_brought_is_nobodys(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user(ANNA))}
    body = {"code": await site.simulator.consent(), "state": await site.state(user_id=BEN)}
    ours = await site.post("/oauth/exchange", cookie | {"Origin": site.url}, **body)
    assert ours.code == "wrong_user"
    assert (await site.post("/oauth/exchange", cookie | {"Origin": OURS}, **body)).status == 200


async def test_a_stale_cookie_is_forgotten(site: Site) -> None:
    cookie = {"Cookie": await site.session(site.user()), "Origin": site.url}
    site.simulator.clock.turn(1801)
    for answer in (
        await site.get("/session", cookie),
        await site.post("/oauth/exchange", cookie, code="c", state="s"),
        await site.get("/session", {"Cookie": "connector_session=nonsense"}),
    ):
        assert answer.status in (400, 401)
        assert answer.cookies["connector_session"]["max-age"] == "0"


async def test_a_ticket_is_no_cookie_and_a_cookie_no_ticket(site: Site) -> None:
    ticket = site.house.identity.mint(ANNA).text
    assert (await site.get("/session", {"Cookie": f"connector_session={ticket}"})).status == 401
    session = (await site.session(site.user())).partition("=")[2]
    assert (await site.get("/session", {"Authorization": f"Bearer {session}"})).status == 401
