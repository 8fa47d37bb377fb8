"""Selecting an advertiser, the token in `user_accounts`, and disconnecting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.encryption import TokenCipher
from connector.errors import InvalidRequest, NotFound, ReconnectRequired, UnknownAdvertiser
from connector.settings import load_or_create_keys
from tests.credentials import ANNA
from tests.database_views import DatabaseView
from tests.running_service import Simulator

from .harness import BEN, FAMILIES, ExchangeHarness, running_process, until

REVOKE = {
    "marketing": "oauth2/revoke_token",
    "accounts": "tt_user/oauth2/revoke",
    "login_kit": "v2/oauth/revoke",
}
REFRESH = {"accounts": "tt_user/oauth2/refresh_token", "login_kit": "v2/oauth/token"}
SHOPS = [{"id": "7533163835474346001", "name": "Bäckerei 🥐"}, {"id": "2", "name": "Bar"}]
NULLS = {"tiktok_access_token": None, "tiktok_account_id": None, "tiktok_business_id": None}


# Selecting an advertiser.


async def test_a_selection_is_written_to_user_accounts_and_can_be_changed_at_any_time(
    harness: ExchangeHarness,
) -> None:
    await harness.connect(advertisers=SHOPS)
    for shop in [*SHOPS, *SHOPS]:
        connection_id, selected = await harness.select_advertiser(shop["id"])
        row = harness.row("user_accounts")
        assert (row["tiktok_business_id"], row["tiktok_account_id"]) == (shop["id"], shop["name"])
        current = await harness.get_connection(connection_id)
        assert current.selected_advertiser == selected


@pytest.mark.parametrize("advertiser_id", ["3", "", "7533163835474346002"])
async def test_an_advertiser_that_was_not_granted_cannot_be_selected(
    harness: ExchangeHarness, advertiser_id: str
) -> None:
    await harness.connect(advertisers=SHOPS)
    with pytest.raises(UnknownAdvertiser):
        await harness.select_advertiser(advertiser_id)
    assert harness.rows("user_accounts") == []


async def test_the_customers_own_columns_of_user_accounts_are_never_changed(
    harness: ExchangeHarness,
) -> None:
    harness.database.script("alter table user_accounts add column plan text")
    try:
        harness.database.script(f"insert into user_accounts (id, plan) values ('{ANNA}', 'gold')")
        await harness.connect(advertisers=SHOPS)
        await harness.select_advertiser("2")
        assert harness.row("user_accounts")["plan"] == "gold"
        reply = await harness.connect(advertisers=SHOPS[:1])
        await harness.disconnect(reply.connection_id)
        assert harness.row("user_accounts") == {"id": ANNA, "plan": "gold"} | NULLS
    finally:
        harness.database.script("alter table user_accounts drop column plan")


async def test_a_connection_of_another_user_is_not_found(harness: ExchangeHarness) -> None:
    connection_id = (await harness.connect(advertisers=SHOPS)).connection_id
    for request in (
        harness.get_connection(connection_id, user_id=BEN),
        harness.list_attempts(connection_id, user_id=BEN),
        harness.select_advertiser("2", connection_id, user_id=BEN),
        harness.refresh(connection_id, user_id=BEN),
        harness.disconnect(connection_id, user_id=BEN),
        harness.select_advertiser("2", user_id=BEN),
        harness.get_connection("no-uuid", user_id=None),
    ):
        with pytest.raises(NotFound):
            await request
    assert harness.row("connections")["status"] == "active"


async def test_the_newest_connection_is_used_unless_the_request_names_one(
    harness: ExchangeHarness,
) -> None:
    first = await harness.connect(person="mia", advertisers=SHOPS)
    harness.clock.advance(1)
    second = await harness.connect(person="noah", advertisers=SHOPS)
    assert (await harness.find_advertiser_connection()).id == second.connection_id
    named = await harness.find_advertiser_connection(first.connection_id)
    assert named.id == first.connection_id


async def test_only_a_marketing_connection_has_advertisers(harness: ExchangeHarness) -> None:
    reply = await harness.connect("login_kit")
    with pytest.raises(InvalidRequest):
        await harness.find_advertiser_connection(reply.connection_id)
    with pytest.raises(NotFound):
        await harness.find_advertiser_connection()


# The token in user_accounts.


async def test_the_token_in_user_accounts_is_encrypted_and_bound_to_its_row(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        reply = await harness.connect()
        token = await harness.access_token(reply.connection_id)
        encrypted = database.row("user_accounts")["tiktok_access_token"]
        keys = harness.service.settings.encryption_keys or load_or_create_keys(
            harness.service.settings.database
        )
    decrypted = TokenCipher(keys).decrypt(encrypted, associated_data=f"user_accounts/{ANNA}")
    assert decrypted == token


@pytest.mark.parametrize("mode", ["plain", "none"])
async def test_the_token_in_user_accounts_is_plain_or_absent_if_the_operator_chose_so(
    database: DatabaseView, simulator: Simulator, tmp_path: Path, mode: str
) -> None:
    async with running_process(
        database, simulator, tmp_path / "first", CONNECTOR_USER_ACCOUNTS_TOKEN=mode
    ) as harness:
        reply = await harness.connect(advertisers=SHOPS)
        await harness.select_advertiser("2")
        token = await harness.access_token(reply.connection_id)
        expected = token if mode == "plain" else None
        assert database.row("user_accounts")["tiktok_access_token"] == expected


# Disconnecting.


@pytest.mark.parametrize("family", FAMILIES)
async def test_disconnecting_revokes_the_grant_at_tiktok_and_deletes_the_tokens(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    for _ in range(2):
        disconnected = await harness.disconnect(reply.connection_id)
        assert disconnected.status == "revoked"
    assert harness.count_calls(REVOKE[family]) == 1
    assert harness.row("connections")["encrypted_tokens"] is None
    assert (await harness.simulator.stats())["revoked"] == 1
    with pytest.raises(ReconnectRequired):
        await harness.access_token(reply.connection_id)


async def test_disconnecting_clears_user_accounts_if_it_has_an_advertiser_of_this_connection(
    harness: ExchangeHarness,
) -> None:
    reply = await harness.connect()
    await harness.disconnect(reply.connection_id)
    assert harness.row("user_accounts") == {"id": ANNA} | NULLS


async def test_disconnecting_leaves_user_accounts_if_it_has_an_advertiser_of_another_connection(
    harness: ExchangeHarness,
) -> None:
    first = await harness.connect(person="mia", advertisers=SHOPS[:1])
    second = await harness.connect(person="noah", advertisers=SHOPS[1:])
    await harness.select_advertiser("2", second.connection_id)
    await harness.disconnect(first.connection_id)
    assert harness.row("user_accounts")["tiktok_business_id"] == "2"


async def test_disconnecting_clears_user_accounts_of_an_advertiser_that_was_lost(
    harness: ExchangeHarness,
) -> None:
    await harness.connect(advertisers=SHOPS[:1])
    reply = await harness.connect(advertisers=[{"id": "3"}, {"id": "4"}])
    await harness.disconnect(reply.connection_id)
    assert harness.row("user_accounts") == {"id": ANNA} | NULLS


@pytest.mark.parametrize("advertiser_id", ["null", "'3'"])
async def test_disconnecting_clears_the_token_even_if_user_accounts_was_edited(
    harness: ExchangeHarness, advertiser_id: str
) -> None:
    reply = await harness.connect(advertisers=SHOPS[:1])
    harness.database.script(f"update user_accounts set tiktok_business_id = {advertiser_id}")
    await harness.disconnect(reply.connection_id)
    assert harness.row("user_accounts") == {"id": ANNA} | NULLS


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_disconnecting_a_family_without_advertisers_leaves_user_accounts(
    harness: ExchangeHarness, family: str
) -> None:
    await harness.connect(advertisers=SHOPS[:1])
    reply = await harness.connect(family)
    await harness.disconnect(reply.connection_id)
    assert harness.row("user_accounts")["tiktok_access_token"]


async def test_earlier_values_in_user_accounts_stay_until_an_advertiser_is_selected(
    harness: ExchangeHarness,
) -> None:
    before = {"id": ANNA, "tiktok_access_token": "old", "tiktok_business_id": "9"}
    harness.database.script(
        "insert into user_accounts (id, tiktok_access_token, tiktok_business_id)"
        f" values ('{ANNA}', 'old', '9')"
    )
    reply = await harness.connect(advertisers=SHOPS)
    await harness.disconnect(reply.connection_id)
    assert harness.row("user_accounts") == before | {"tiktok_account_id": None}


@pytest.mark.parametrize("family", FAMILIES)
async def test_disconnecting_takes_effect_immediately_and_the_revocation_is_retried_until_it_succeeds(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    connection_id = reply.connection_id
    await harness.simulator.fault(REVOKE[family], "status", 503)
    disconnected = await harness.disconnect(connection_id)
    assert disconnected.status == "revoked"
    assert harness.row("connections")["encrypted_tokens"] is not None
    with pytest.raises(ReconnectRequired):
        await harness.access_token(connection_id)
    harness.clock.advance(60)
    await harness.refresh_due_connections()
    assert harness.row("connections")["encrypted_tokens"] is None
    assert (await harness.simulator.stats())["revoked"] == 1


@pytest.mark.parametrize("family", REFRESH)
async def test_disconnecting_during_a_refresh_revokes_the_new_tokens(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    connection_id = reply.connection_id
    before = harness.count_calls(REFRESH[family])
    await harness.simulator.fault(REFRESH[family], "hang")
    refreshing = asyncio.create_task(harness.refresh(connection_id))
    await harness.wait_for_call(REFRESH[family], count=before + 1)
    disconnecting = asyncio.create_task(harness.disconnect(connection_id))
    await until(lambda: harness.row("connections")["status"] == "revoked")
    harness.simulator.state.faults.clear()
    await refreshing
    assert (await disconnecting).status == "revoked"
    await harness.refresh_due_connections()
    assert harness.row("connections")["encrypted_tokens"] is None
    stats = await harness.simulator.stats()
    assert (stats["live_access_tokens"], stats["dead_refresh_token_presented"]) == (0, 0)


async def test_a_disconnected_account_can_be_connected_again(harness: ExchangeHarness) -> None:
    first = await harness.connect()
    await harness.disconnect(first.connection_id)
    harness.clock.advance(1)
    again = await harness.connect()
    assert again.connection_id == first.connection_id
    assert harness.row("connections")["status"] == "active"
    assert harness.row("user_accounts")["tiktok_business_id"] == again.business_id


async def test_no_advertiser_can_be_selected_for_a_disconnected_account(
    harness: ExchangeHarness,
) -> None:
    reply = await harness.connect(advertisers=SHOPS)
    await harness.disconnect(reply.connection_id)
    with pytest.raises(NotFound):
        await harness.select_advertiser("2")
    with pytest.raises(ReconnectRequired):
        await harness.select_advertiser("2", reply.connection_id)
    assert harness.rows("user_accounts") == []
