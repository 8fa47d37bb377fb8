"""What a person does with the connections they have, and what becomes of their tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.errors import (
    InvalidRequest,
    NotFound,
    ReconnectRequired,
    UnknownAdvertiser,
)
from connector.seal import Seal
from connector.settings import local_keys
from tests.houses import Simulator
from tests.people import ANNA
from tests.places import Place

from .scene import BEN, FAMILIES, Scene, at, until

REVOKE = {
    "marketing": "oauth2/revoke_token",
    "accounts": "tt_user/oauth2/revoke",
    "login_kit": "v2/oauth/revoke",
}
REFRESH = {"accounts": "tt_user/oauth2/refresh_token", "login_kit": "v2/oauth/token"}
SHOPS = [{"id": "7533163835474346001", "name": "Bäckerei 🥐"}, {"id": "2", "name": "Bar"}]
NULLS = {"tiktok_access_token": None, "tiktok_account_id": None, "tiktok_business_id": None}


# Choosing.


async def test_the_choice_is_written_and_may_be_changed_at_any_time(scene: Scene) -> None:
    await scene.connect(advertisers=SHOPS)
    for shop in [*SHOPS, *SHOPS]:
        connection, chosen = await scene.house.connections.choose(shop["id"], of=ANNA)
        row = scene.place.row("user_accounts")
        assert (row["tiktok_business_id"], row["tiktok_account_id"]) == (shop["id"], shop["name"])
        current = await scene.house.connections.get(connection.id, of=ANNA)
        assert current.chosen == chosen


@pytest.mark.parametrize("id", ["3", "", "7533163835474346002"])
async def test_an_advertiser_that_was_not_granted_cannot_be_chosen(scene: Scene, id: str) -> None:
    await scene.connect(advertisers=SHOPS)
    with pytest.raises(UnknownAdvertiser):
        await scene.house.connections.choose(id, of=ANNA)
    assert scene.rows("user_accounts") == []


async def test_only_the_tiktok_columns_are_touched(scene: Scene) -> None:
    scene.place.script("alter table user_accounts add column plan text")
    try:
        scene.place.script(f"insert into user_accounts (id, plan) values ('{ANNA}', 'gold')")
        await scene.connect(advertisers=SHOPS)
        await scene.house.connections.choose("2", of=ANNA)
        assert scene.place.row("user_accounts")["plan"] == "gold"
        answer = await scene.connect(advertisers=SHOPS[:1])
        await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
        assert scene.place.row("user_accounts") == {"id": ANNA, "plan": "gold"} | NULLS
    finally:
        scene.place.script("alter table user_accounts drop column plan")


async def test_somebody_elses_connection_is_not_there(scene: Scene) -> None:
    connections = scene.house.connections
    id = (await scene.connect(advertisers=SHOPS))["connection_id"]
    for trying in (
        connections.get(id, of=BEN),
        connections.attempts(id, of=BEN),
        connections.choose("2", of=BEN, id=id),
        connections.refresh(id, of=BEN, who="user"),
        connections.disconnect(id, of=BEN, who="user"),
        connections.choose("2", of=BEN),
        connections.get("no-uuid", of=None),
    ):
        with pytest.raises(NotFound):
            await trying
    assert scene.place.row("connections")["status"] == "active"


async def test_the_newest_connection_is_meant_unless_one_is_named(scene: Scene) -> None:
    first = await scene.connect(person="mia", advertisers=SHOPS)
    scene.clock.turn(1)
    second = await scene.connect(person="noah", advertisers=SHOPS)
    connections = scene.house.connections
    assert (await connections.advertisers(of=ANNA)).id == second["connection_id"]
    named = await connections.advertisers(of=ANNA, id=first["connection_id"])
    assert named.id == first["connection_id"]


async def test_only_ads_connections_have_advertisers(scene: Scene) -> None:
    answer = await scene.connect("login_kit")
    with pytest.raises(InvalidRequest):
        await scene.house.connections.advertisers(of=ANNA, id=answer["connection_id"])
    with pytest.raises(NotFound):
        await scene.house.connections.advertisers(of=ANNA)


# What user_accounts is told of the token.


async def test_the_token_there_is_sealed_and_bound_to_its_row(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        answer = await scene.connect()
        token = await scene.house.connections.token(answer["connection_id"], who="server")
        sealed = place.row("user_accounts")["tiktok_access_token"]
        keys = scene.house.settings.encryption_keys or local_keys(scene.house.settings.database)
    opened = Seal(keys).open_text(sealed, bound_to=f"user_accounts/{ANNA}")
    assert opened == token.tokens.access.get_secret_value()


@pytest.mark.parametrize("policy", ["plain", "none"])
async def test_the_operator_may_have_it_plain_or_not_at_all(
    place: Place, simulator: Simulator, tmp_path: Path, policy: str
) -> None:
    policies = {"CONNECTOR_USER_ACCOUNTS_TOKEN": policy}
    async with at(place, simulator, tmp_path / "first", **policies) as scene:
        answer = await scene.connect(advertisers=SHOPS)
        await scene.house.connections.choose("2", of=ANNA)
        working = await scene.house.connections.token(answer["connection_id"], who="server")
        expected = working.tokens.access.get_secret_value() if policy == "plain" else None
        assert place.row("user_accounts")["tiktok_access_token"] == expected


# The end.


@pytest.mark.parametrize("family", FAMILIES)
async def test_disconnecting_gives_the_grant_back_and_destroys_the_tokens(
    scene: Scene, family: str
) -> None:
    answer = await scene.connect(family)
    for _ in range(2):
        gone = await scene.house.connections.disconnect(
            answer["connection_id"], of=ANNA, who="user"
        )
        assert gone.status == "revoked"
    assert scene.calls(REVOKE[family]) == 1
    assert scene.place.row("connections")["sealed"] is None
    assert (await scene.simulator.stats())["revoked"] == 1
    with pytest.raises(ReconnectRequired):
        await scene.house.connections.token(answer["connection_id"], who="server")


async def test_user_accounts_is_cleared_when_it_shows_this_connections_advertiser(
    scene: Scene,
) -> None:
    answer = await scene.connect()
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts") == {"id": ANNA} | NULLS


async def test_user_accounts_stays_when_it_shows_anothers(scene: Scene) -> None:
    first = await scene.connect(person="mia", advertisers=SHOPS[:1])
    await scene.connect(person="noah", advertisers=SHOPS[1:])
    await scene.house.connections.disconnect(first["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts")["tiktok_business_id"] == "2"


async def test_user_accounts_is_cleared_of_an_advertiser_that_was_lost(scene: Scene) -> None:
    await scene.connect(advertisers=SHOPS[:1])
    answer = await scene.connect(advertisers=[{"id": "3"}, {"id": "4"}])
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts") == {"id": ANNA} | NULLS


@pytest.mark.parametrize("shown", ["null", "'3'"])
async def test_the_token_goes_whatever_user_accounts_was_made_to_show(
    scene: Scene, shown: str
) -> None:
    answer = await scene.connect(advertisers=SHOPS[:1])
    scene.place.script(f"update user_accounts set tiktok_business_id = {shown}")
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts") == {"id": ANNA} | NULLS


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_user_accounts_is_nothing_to_the_other_families(scene: Scene, family: str) -> None:
    await scene.connect(advertisers=SHOPS[:1])
    answer = await scene.connect(family)
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts")["tiktok_access_token"]


async def test_what_was_in_user_accounts_before_us_stays_until_something_is_chosen(
    scene: Scene,
) -> None:
    before = {"id": ANNA, "tiktok_access_token": "old", "tiktok_business_id": "9"}
    scene.place.script(
        "insert into user_accounts (id, tiktok_access_token, tiktok_business_id)"
        f" values ('{ANNA}', 'old', '9')"
    )
    answer = await scene.connect(advertisers=SHOPS)
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    assert scene.place.row("user_accounts") == before | {"tiktok_account_id": None}


@pytest.mark.parametrize("family", FAMILIES)
async def test_with_tiktok_away_it_is_over_here_at_once_and_there_as_soon_as_may_be(
    scene: Scene, family: str
) -> None:
    answer = await scene.connect(family)
    id = answer["connection_id"]
    await scene.simulator.fault(REVOKE[family], "status", 503)
    gone = await scene.house.connections.disconnect(id, of=ANNA, who="user")
    assert gone.status == "revoked"
    assert scene.place.row("connections")["sealed"] is not None
    with pytest.raises(ReconnectRequired):
        await scene.house.connections.token(id, who="server")
    scene.clock.turn(60)
    await scene.house.keeper.tend()
    await scene.house.keeper.settled()
    assert scene.place.row("connections")["sealed"] is None
    assert (await scene.simulator.stats())["revoked"] == 1


@pytest.mark.parametrize("family", REFRESH)
async def test_disconnecting_during_a_refresh_revokes_what_the_refresh_brought(
    scene: Scene, family: str
) -> None:
    answer = await scene.connect(family)
    id, connections = answer["connection_id"], scene.house.connections
    before = scene.calls(REFRESH[family])
    await scene.simulator.fault(REFRESH[family], "hang")
    refreshing = asyncio.create_task(connections.refresh(id, of=ANNA, who="user"))
    await scene.called(REFRESH[family], times=before + 1)
    leaving = asyncio.create_task(connections.disconnect(id, of=ANNA, who="user"))
    await until(lambda: scene.place.row("connections")["status"] == "revoked")
    scene.simulator.world.faults.clear()
    await refreshing
    assert (await leaving).status == "revoked"
    await scene.house.keeper.tend()
    await scene.house.keeper.settled()
    assert scene.place.row("connections")["sealed"] is None
    stats = await scene.simulator.stats()
    assert (stats["live_access_tokens"], stats["dead_refresh_token_presented"]) == (0, 0)


async def test_a_disconnected_account_can_be_connected_again(scene: Scene) -> None:
    first = await scene.connect()
    await scene.house.connections.disconnect(first["connection_id"], of=ANNA, who="user")
    again = await scene.connect()
    assert again["connection_id"] == first["connection_id"]
    assert scene.place.row("connections")["status"] == "active"
    assert scene.place.row("user_accounts")["tiktok_business_id"] == again["business_id"]


async def test_nothing_is_chosen_for_a_disconnected_account(scene: Scene) -> None:
    answer = await scene.connect(advertisers=SHOPS)
    await scene.house.connections.disconnect(answer["connection_id"], of=ANNA, who="user")
    with pytest.raises(NotFound):
        await scene.house.connections.choose("2", of=ANNA)
    with pytest.raises(ReconnectRequired):
        await scene.house.connections.choose("2", of=ANNA, id=answer["connection_id"])
    assert scene.rows("user_accounts") == []
