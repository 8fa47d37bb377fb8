"""Each family from consent to disconnect, as a customer's server uses the service."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession

from tests.credentials import ANNA
from tests.database_views import DatabaseView
from tests.running_service import Simulator

from .service_process import Customer, NewService, new_service_with_database

ADVERTISERS = [{"id": "7533163835474346001", "name": "Bäckerei 🥐"}, {"id": "42", "name": "Bar"}]
FAMILIES = ("marketing", "accounts", "login_kit")


@pytest.mark.parametrize("kind", ["sqlite", "supabase", "postgres"])
async def test_every_family_can_be_connected_used_and_disconnected(
    request: pytest.FixtureRequest, simulator: Simulator, new_service: NewService, kind: str
) -> None:
    service, database = new_service_with_database(request, new_service, kind)
    await service.start()
    async with ClientSession() as http:
        customer = Customer(http, ANNA, service)
        for family in FAMILIES:
            await connect_and_read_token(customer, simulator, family)
        assert (await simulator.stats())["exchanges"] == 3
        assert database.rows("user_accounts") == []
        await select_each_advertiser(customer, database)
        await disconnect_all(customer, database)
    stats = await simulator.stats()
    assert (stats["revoked"], stats["live_access_tokens"]) == (3, 0)


async def connect_and_read_token(customer: Customer, simulator: Simulator, family: str) -> None:
    code = await simulator.consent(family, advertisers=ADVERTISERS)
    state = await customer.state(family)
    replies = await asyncio.gather(*(customer.post_code(code, state) for _ in range(25)))
    assert all(reply == replies[0] for reply in replies)
    status, reply = replies[0]
    assert (status, reply["family"]) == (200, family)
    token = await customer.call_as_server("GET", f"/connections/{reply['connection_id']}/token")
    grant = simulator.state.tokens.find_access_token(token["access_token"]).grant
    assert grant.family == family


async def select_each_advertiser(customer: Customer, database: DatabaseView) -> None:
    for advertiser in ADVERTISERS:
        selection = {"user_id": ANNA, "advertiser_id": advertiser["id"]}
        reply = await customer.call_as_server("POST", "/advertisers/select", json=selection)
        assert (reply["business_id"], reply["account_id"]) == (advertiser["id"], advertiser["name"])
    row = database.row("user_accounts")
    assert (row["id"], row["tiktok_business_id"]) == (ANNA, ADVERTISERS[-1]["id"])


async def disconnect_all(customer: Customer, database: DatabaseView) -> None:
    for connection in await customer.connections():
        for _ in range(2):
            reply = await customer.call_as_server("DELETE", f"/connections/{connection['id']}")
            assert reply["status"] == "revoked"
    assert database.row("user_accounts")["tiktok_business_id"] is None
    assert {row["encrypted_tokens"] for row in database.rows("connections")} == {None}
