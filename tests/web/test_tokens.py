"""Usable access tokens, for servers only."""

from __future__ import annotations

import asyncio

from tests.credentials import ANNA
from tests.running_service import AS_SERVER

from .conftest import Harness


async def test_an_unexpired_token_is_returned_unchanged(each_store: Harness) -> None:
    connection_id = (await each_store.connect(family="login_kit"))["connection_id"]
    response = await each_store.get(f"/connections/{connection_id}/token", AS_SERVER)
    assert response.headers["Cache-Control"] == "no-store"
    payload = response.json
    token = each_store.simulator.state.tokens.find_access_token(payload.pop("access_token"))
    assert "user.info.basic" in payload.pop("scopes")
    assert payload == {
        "expires_at": "2026-11-20T14:00:00.000000+00:00",
        "family": "login_kit",
        "connection_id": connection_id,
    }
    assert token.grant.is_active


async def test_an_expiring_token_is_refreshed_once_for_all_concurrent_readers(
    each_store: Harness,
) -> None:
    connection_id = (await each_store.connect(family="login_kit"))["connection_id"]
    each_store.simulator.clock.advance(7200 - 60)
    path = f"/connections/{connection_id}/token"
    responses = await asyncio.gather(*(each_store.get(path, AS_SERVER) for _ in range(20)))
    assert len({response.json["access_token"] for response in responses}) == 1
    stats = await each_store.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_a_server_reads_a_users_token_by_family(each_store: Harness) -> None:
    for family in ("marketing", "login_kit"):
        connection_id = (await each_store.connect(family=family))["connection_id"]
        response = await each_store.get(f"/token?user_id={ANNA}&family={family}", AS_SERVER)
        assert response.json["connection_id"] == connection_id
    default = await each_store.get(f"/token?user_id={ANNA}", AS_SERVER)
    assert default.json["family"] == "marketing"
    missing = await each_store.get(f"/token?user_id={ANNA}&family=accounts", AS_SERVER)
    assert (missing.status, missing.code) == (404, "not_found")
    assert "user_id is missing" in (await each_store.get("/token", AS_SERVER)).json["error"]


async def test_a_head_request_for_a_token_is_authorized_like_a_get_request(
    harness: Harness,
) -> None:
    connection_id = (await harness.connect())["connection_id"]
    response = await harness.call("HEAD", f"/connections/{connection_id}/token", headers=AS_SERVER)
    assert (response.status, response.text) == (200, "")
    assert (await harness.call("HEAD", f"/connections/{connection_id}/token")).status == 401
