"""Working access tokens, for servers alone."""

from __future__ import annotations

import asyncio

from tests.houses import AS_SERVER
from tests.people import ANNA

from .conftest import Site


async def test_a_token_that_lives_is_handed_out_as_it_is(anywhere: Site) -> None:
    id = (await anywhere.connected(family="login_kit"))["connection_id"]
    answer = await anywhere.get(f"/connections/{id}/token", AS_SERVER)
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.said
    issued = anywhere.simulator.world.ledger.access(said.pop("access_token"))
    assert "user.info.basic" in said.pop("scopes")
    assert said == {
        "expires_at": "2026-11-20T14:00:00.000000+00:00",
        "family": "login_kit",
        "connection_id": id,
    }
    assert issued.grant.alive


async def test_one_that_runs_out_is_refreshed_once_for_all_who_ask(anywhere: Site) -> None:
    id = (await anywhere.connected(family="login_kit"))["connection_id"]
    anywhere.simulator.clock.turn(7200 - 60)
    path = f"/connections/{id}/token"
    answers = await asyncio.gather(*(anywhere.get(path, AS_SERVER) for _ in range(20)))
    assert len({answer.said["access_token"] for answer in answers}) == 1
    stats = await anywhere.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_a_server_finds_a_users_token_by_family(anywhere: Site) -> None:
    for family in ("marketing", "login_kit"):
        id = (await anywhere.connected(family=family))["connection_id"]
        answer = await anywhere.get(f"/token?user_id={ANNA}&family={family}", AS_SERVER)
        assert answer.said["connection_id"] == id
    default = await anywhere.get(f"/token?user_id={ANNA}", AS_SERVER)
    assert default.said["family"] == "marketing"
    missing = await anywhere.get(f"/token?user_id={ANNA}&family=accounts", AS_SERVER)
    assert (missing.status, missing.code) == (404, "not_found")
    assert "user_id is missing" in (await anywhere.get("/token", AS_SERVER)).said["error"]


async def test_the_headers_alone_may_be_asked_for(site: Site) -> None:
    id = (await site.connected())["connection_id"]
    answer = await site.call("HEAD", f"/connections/{id}/token", headers=AS_SERVER)
    assert (answer.status, answer.text) == (200, "")
    assert (await site.call("HEAD", f"/connections/{id}/token")).status == 401
