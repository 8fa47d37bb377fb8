"""Each route accepts only its own kinds of credentials; a route without a row is closed."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession, web

from connector.model import UserId
from connector.web import listen
from connector.web.access import Access
from connector.web.health import healthz
from connector.web.route import Route
from connector.web.routes import ROUTES
from tests.credentials import ANNA, API_KEYS, hs256_jwt
from tests.running_service import AS_SERVER

from .conftest import ALLOWED_ORIGIN, Harness

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
UNKNOWN_ID = "11111111-2222-3333-4444-555555555555"


def routes(*levels: Access) -> pytest.MarkDecorator:
    """Parametrizes a test with the routes that have one of these access levels."""
    selected = [route for route in ROUTES if route.access in levels]
    ids = [f"{route.method} {route.canonical}" for route in selected]
    return pytest.mark.parametrize("route", selected, ids=ids)


def path_of(route: Route) -> str:
    return route.canonical.replace("{id}", UNKNOWN_ID)


def test_a_route_without_an_access_level_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="access"):
        Route("GET", "/new", healthz)  # type: ignore[call-arg]


async def test_a_handler_without_a_row_in_the_route_table_rejects_every_caller(
    harness: Harness,
) -> None:
    app = harness.service.web_application()

    async def secret(_: web.Request) -> web.Response:
        return web.Response(text="secret")

    app.router.add_get("/forgotten", secret)
    app.router.add_delete("/families", secret)
    app.cleanup_ctx.clear()
    async with listen(app, "127.0.0.1", 0, shutdown_timeout=1) as [(host, port)]:
        url = f"http://{host}:{port}"
        assert await error_code(harness.http, "GET", f"{url}/forgotten") == "internal_error"
        # A method that is added to a public path is not public.
        assert await error_code(harness.http, "DELETE", f"{url}/families") == "internal_error"


async def error_code(http: ClientSession, method: str, url: str) -> str:
    async with http.request(method, url, headers=AS_SERVER) as response:
        assert response.status == 500
        return str((await response.json())["code"])


@routes(Access.USER, Access.SELECTION, Access.SERVER)
async def test_a_route_that_is_not_public_rejects_a_request_without_credentials(
    harness: Harness, route: Route
) -> None:
    response = await harness.call(route.method, path_of(route))
    assert (response.status, response.code) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@routes(Access.SERVER)
async def test_a_user_may_not_call_a_route_for_servers(harness: Harness, route: Route) -> None:
    response = await harness.call(route.method, path_of(route), headers=harness.as_user())
    assert (response.status, response.code) == (403, "forbidden")


@routes(Access.USER, Access.SERVER)
async def test_a_selection_ticket_is_rejected_by_routes_that_do_not_select(
    harness: Harness, route: Route
) -> None:
    ticket = harness.service.authenticator.tickets.issue(ANNA, connection_id=UNKNOWN_ID)
    headers = {"Authorization": f"Bearer {ticket.text}"}
    response = await harness.call(route.method, path_of(route), headers=headers)
    assert (response.status, response.code) == (403, "forbidden")


async def test_a_selection_ticket_cannot_create_a_session_or_exchange_a_code(
    harness: Harness,
) -> None:
    ticket = {"Authorization": f"Bearer {(await harness.connect(advertisers=2))['ticket']}"}
    for path in ("/session", "/oauth/exchange"):
        response = await harness.post(path, ticket, code="c", state="s")
        assert (response.status, response.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if "{id}" in route.path],
    ids=lambda route: f"{route.method} {route.path}",
)
async def test_another_users_connection_is_not_found(harness: Harness, route: Route) -> None:
    connection_id = (await harness.connect(user_id=BEN))["connection_id"]
    body = {"since": "2026-11-20T11:00:00Z"} if route.path.endswith("/replay") else None
    for headers in (harness.as_user(ANNA), AS_SERVER):
        unknown = await harness.call(route.method, path_of(route), headers=headers, json=body)
        assert unknown.status in (404, 403)
    path = route.path.replace("{id}", connection_id)
    response = await harness.call(route.method, path, headers=harness.as_user(ANNA))
    assert response.status == (403 if route.access is Access.SERVER else 404)


async def test_each_kind_of_credentials_authenticates(harness: Harness) -> None:
    credentials = [
        (AS_SERVER, "server"),
        ({"X-API-Key": API_KEYS[1]}, "server"),
        (harness.as_user(), "user"),
        ({"Authorization": f"Bearer {hs256_jwt()}"}, "user"),
        ({"Authorization": f"Bearer {(await harness.connect())['ticket']}"}, "selection"),
        ({"Cookie": await harness.session_cookie(harness.as_user())}, "user"),
        ({"Cookie": await harness.session_cookie(AS_SERVER)}, "server"),
    ]
    for headers, kind in credentials:
        assert (await harness.get("/session", headers)).json["kind"] == kind


async def test_a_header_takes_precedence_over_the_session_cookie(harness: Harness) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user(BEN))}
    response = await harness.get("/session", cookie | harness.as_user(ANNA))
    assert response.json["user_id"] == ANNA
    rejected = await harness.get("/session", cookie | {"Authorization": "Bearer wrong"})
    assert rejected.status == 401


async def test_an_api_key_beside_the_projects_public_key_is_not_ignored(harness: Harness) -> None:
    both = {"Authorization": "Bearer sb_publishable_0123456789", "X-API-Key": API_KEYS[0]}
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    response = await harness.post("/oauth/exchange", both, **body)
    assert (response.status, response.code) == (401, "unauthenticated")
    assert "Two credentials" in response.json["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": ALLOWED_ORIGIN},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
async def test_a_page_of_another_origin_cannot_use_the_session_cookie_for_changes(
    harness: Harness, headers: dict[str, str]
) -> None:
    connection_id = (await harness.connect())["connection_id"]
    cookie = {"Cookie": await harness.session_cookie(harness.as_user())} | headers
    for method, path in (
        ("DELETE", f"/connections/{connection_id}"),
        ("POST", f"/connections/{connection_id}/refresh"),
        ("POST", "/oauth/start"),
        ("DELETE", "/session"),
    ):
        response = await harness.call(method, path, headers=cookie)
        assert (response.status, response.code) == (403, "forbidden")
    connection = (await harness.get(f"/connections/{connection_id}", cookie)).json
    assert connection["status"] == "active"


async def test_a_page_of_the_service_can_use_the_session_cookie_for_changes(
    harness: Harness,
) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user())}
    for origin in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": harness.url},
    ):
        assert (await harness.call("POST", "/oauth/start", headers=cookie | origin)).status == 200


async def test_an_exchange_ignores_the_session_cookie_in_a_request_from_another_origin(
    harness: Harness,
) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user(ANNA))}
    body = {"code": await harness.simulator.consent(), "state": await harness.state(user_id=BEN)}
    same_origin = await harness.post("/oauth/exchange", cookie | {"Origin": harness.url}, **body)
    assert same_origin.code == "wrong_user"
    other_origin = await harness.post(
        "/oauth/exchange", cookie | {"Origin": ALLOWED_ORIGIN}, **body
    )
    assert other_origin.status == 200


async def test_an_invalid_session_cookie_is_deleted(harness: Harness) -> None:
    cookie = {"Cookie": await harness.session_cookie(harness.as_user()), "Origin": harness.url}
    harness.simulator.clock.advance(1801)
    for response in (
        await harness.get("/session", cookie),
        await harness.post("/oauth/exchange", cookie, code="c", state="s"),
        await harness.get("/session", {"Cookie": "connector_session=nonsense"}),
    ):
        assert response.status in (400, 401)
        assert response.cookies["connector_session"]["max-age"] == "0"


async def test_a_ticket_is_not_accepted_as_a_cookie_nor_a_cookie_as_a_ticket(
    harness: Harness,
) -> None:
    ticket = harness.service.authenticator.tickets.issue(ANNA).text
    response = await harness.get("/session", {"Cookie": f"connector_session={ticket}"})
    assert response.status == 401
    session = (await harness.session_cookie(harness.as_user())).partition("=")[2]
    response = await harness.get("/session", {"Authorization": f"Bearer {session}"})
    assert response.status == 401
