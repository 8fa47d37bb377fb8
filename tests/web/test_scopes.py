"""An API key may do what its scopes allow, and a missing scope is named."""

from __future__ import annotations

from typing import get_args

import pytest

from connector.model import KeyScope
from connector.web.access import Access
from connector.web.health import healthz
from connector.web.route import Route
from connector.web.routes import ROUTES
from tests.credentials import ANNA
from tests.running_service import unsigned_state

from .conftest import Harness, StartService
from .test_access import path_of

SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
KEYS = {scope: f"only-{scope}-0123456789" for scope in SCOPES}
PROTECTED = [route for route in ROUTES if route.access is not Access.PUBLIC]


def as_key(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[scope]}"}  # type: ignore[index]


@pytest.fixture
async def scoped(start_service: StartService) -> Harness:
    keys = [f"{scope}:{scope}:{key}" for scope, key in KEYS.items()]
    all_scopes = f"all:{'+'.join(SCOPES)}:first-server-key-0123456789"
    return await start_service(CONNECTOR_API_KEYS=",".join([all_scopes, *keys]))


@pytest.mark.parametrize("route", PROTECTED, ids=lambda route: f"{route.method} {route.canonical}")
async def test_a_key_needs_the_scope_of_the_route(scoped: Harness, route: Route) -> None:
    for scope in SCOPES:
        response = await scoped.call(route.method, path_of(route), headers=as_key(scope))
        if scope == route.scope:
            assert response.status != 403
        else:
            assert (response.status, response.code) == (403, "forbidden")
            assert f"lacks the scope {route.scope}" in response.json["error"]


async def test_a_head_request_needs_the_scope_of_the_get_request(scoped: Harness) -> None:
    assert (await scoped.call("HEAD", "/metrics", headers=as_key("read"))).status == 403
    assert (await scoped.call("HEAD", "/metrics", headers=as_key("metrics"))).status == 200


async def test_an_exchange_with_a_key_needs_the_scope_write(scoped: Harness) -> None:
    state = unsigned_state(ANNA, int(scoped.service.clock.now().timestamp()))
    body = {"code": await scoped.simulator.consent(), "state": state}
    refused = await scoped.post("/oauth/exchange", as_key("read"), **body)
    assert (refused.status, refused.code) == (403, "forbidden")
    assert "lacks the scope write" in refused.json["error"]
    assert (await scoped.post("/oauth/exchange", as_key("write"), **body)).status == 200


async def test_a_session_has_the_scopes_of_its_key(scoped: Harness) -> None:
    cookie = {"Cookie": await scoped.session_cookie(as_key("read")), "Origin": scoped.url}
    assert (await scoped.get("/connections", cookie)).status == 200
    assert (await scoped.get("/metrics", cookie)).status == 403
    assert (await scoped.post("/tickets", cookie, user_id=ANNA)).status == 403


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.scope == "tokens"],
    ids=lambda route: f"{route.method} {route.canonical}",
)
async def test_an_address_that_returns_tokens_accepts_no_cookie(
    scoped: Harness, route: Route
) -> None:
    connection_id = (await scoped.connect())["connection_id"]
    headers = {"Authorization": "Bearer first-server-key-0123456789"}
    cookie = {"Cookie": await scoped.session_cookie(headers), "Origin": scoped.url}
    path = f"{route.path.replace('{id}', connection_id)}?user_id={ANNA}"
    assert (await scoped.get(path, headers)).status == 200
    response = await scoped.get(path, cookie)
    assert (response.status, response.code) == (401, "unauthenticated")
    assert "session cookie is not accepted" in response.json["error"]


async def test_attempts_show_the_name_of_the_key(scoped: Harness) -> None:
    connection_id = (await scoped.connect())["connection_id"]
    await scoped.call("POST", f"/connections/{connection_id}/refresh", headers=as_key("write"))
    attempts = (await scoped.get(f"/connections/{connection_id}/attempts", as_key("read"))).json
    assert attempts["attempts"][0]["actor"] == "write"


async def test_a_ticket_stops_working_when_its_key_is_withdrawn(
    start_service: StartService,
) -> None:
    before = await start_service(CONNECTOR_API_KEYS=f"shop:write:{KEYS['write']}")
    ticket = (await before.post("/tickets", as_key("write"), user_id=ANNA)).json["ticket"]
    session = await before.session_cookie({"Authorization": f"Bearer {ticket}"})
    after = await start_service(CONNECTOR_API_KEYS=f"shop:write:{KEYS['tokens']}")
    for headers in ({"Authorization": f"Bearer {ticket}"}, {"Cookie": session}):
        assert (await before.get("/connections", headers)).status == 200
        assert (await after.get("/connections", headers)).status == 401


def test_a_route_that_is_not_public_cannot_be_written_without_a_scope() -> None:
    for access in (Access.SELECTION, Access.USER, Access.SERVER):
        with pytest.raises(TypeError, match="must name the scope"):
            Route("GET", "/new", healthz, access=access)
