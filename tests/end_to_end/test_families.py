"""From the link to the advertiser in user_accounts, and back again, as a customer's server has it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession

from tests.houses import Simulator
from tests.people import ANNA
from tests.places import Place

from .conftest import Founding
from .service import Visitor, settled

SHOPS = [{"id": "7533163835474346001", "name": "Bäckerei 🥐"}, {"id": "42", "name": "Bar"}]
FAMILIES = ("marketing", "accounts", "login_kit")


@pytest.mark.parametrize("kind", ["sqlite", "supabase", "postgres"])
async def test_every_family_goes_all_the_way_and_back(
    request: pytest.FixtureRequest, simulator: Simulator, founding: Founding, kind: str
) -> None:
    place, service = settled(request, founding, kind)
    await service.start()
    async with ClientSession() as http:
        await there_and_back(Visitor(http, ANNA, service), simulator, place)


async def there_and_back(visitor: Visitor, simulator: Simulator, place: Place) -> None:
    for family in FAMILIES:
        code, state = (
            await simulator.consent(family, advertisers=SHOPS),
            await visitor.state(family),
        )
        answers = await asyncio.gather(*(visitor.post(code, state) for _ in range(25)))
        assert all(answer == answers[0] for answer in answers)
        status, answer = answers[0]
        assert (status, answer["family"]) == (200, family)
        token = await visitor.ask("GET", f"/connections/{answer['connection_id']}/token")
        grant = simulator.world.ledger.access(token["access_token"]).grant
        assert grant.family == family
    assert (await simulator.stats())["exchanges"] == 3
    assert place.rows("user_accounts") == []

    for shop in SHOPS:
        choice = {"user_id": ANNA, "advertiser_id": shop["id"]}
        chosen = await visitor.ask("POST", "/advertisers/select", json=choice)
        assert (chosen["business_id"], chosen["account_id"]) == (shop["id"], shop["name"])
    row = place.row("user_accounts")
    assert (row["id"], row["tiktok_business_id"]) == (ANNA, "42")

    for connection in await visitor.connections():
        for _ in range(2):
            gone = await visitor.ask("DELETE", f"/connections/{connection['id']}")
            assert gone["status"] == "revoked"
    assert place.row("user_accounts")["tiktok_business_id"] is None
    assert {row["sealed"] for row in place.rows("connections")} == {None}
    stats = await simulator.stats()
    assert (stats["revoked"], stats["live_access_tokens"]) == (3, 0)
