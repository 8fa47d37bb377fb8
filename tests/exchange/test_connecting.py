"""Whose a grant is and what was chosen before: told by TikTok, remembered, or done without."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connector.connecting import BRIEFLY
from connector.errors import ConnectorError
from connector.model import UserId
from connector.schedule import FIRST_RETRY
from tests.people import ANNA

from .scene import FAMILIES, WHOSE, Scene, on_sqlite

UNWELL = [
    ("code", 40001),
    ("code", 50000),
    ("status", 404),
    ("garbage", "html"),
    ("garbage", "wrong_type"),
]
NAMES = {"marketing": WHOSE, "accounts": "business/get", "login_kit": WHOSE}


def advertisers(*ids: str) -> list[dict[str, str]]:
    return [{"id": id, "name": f"Shop {id}"} for id in ids]


def row_of(scene: Scene, user_id: UserId = ANNA) -> dict[str, Any]:
    return next(row for row in scene.rows("user_accounts") if row["id"] == user_id)


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), UNWELL)
@pytest.mark.parametrize("family", FAMILIES)
async def test_not_knowing_who_it_is_does_not_cost_the_connection(
    scene: Scene, family: str, kind: str, value: Any
) -> None:
    await scene.simulator.fault(NAMES[family], kind, value)
    assert (await scene.connect(family))["success"]
    assert scene.place.row("connections")["status"] == "active"


@pytest.mark.parametrize("family", FAMILIES)
async def test_who_it_is_is_waited_for_briefly(scene: Scene, family: str) -> None:
    await scene.simulator.fault(NAMES[family], "hang")
    connecting = asyncio.create_task(scene.connect(family))
    await scene.called(NAMES[family])
    await scene.clock.until_asleep()
    scene.clock.turn(BRIEFLY)
    assert (await connecting)["success"]


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), UNWELL)
async def test_somebody_tiktok_would_not_name_never_overwrites_anothers_connection(
    scene: Scene, kind: str, value: Any
) -> None:
    first = await scene.connect(person="mia")
    await scene.simulator.fault(WHOSE, kind, value)
    assert (await scene.connect(person="noah"))["connection_id"] != first["connection_id"]
    row = next(r for r in scene.rows("connections") if r["id"] == first["connection_id"])
    assert row["version"] == 1


async def test_somebody_tiktok_would_not_name_is_known_by_their_advertisers(scene: Scene) -> None:
    known = {person: await scene.connect(person=person) for person in ("mia", "noah")}
    await scene.simulator.fault(WHOSE, "status", 404)
    again = await scene.connect(person="mia", advertisers=3)
    assert again["connection_id"] == known["mia"]["connection_id"]


async def test_people_tiktok_never_names_are_each_one_connection(scene: Scene) -> None:
    await scene.simulator.fault(WHOSE, "status", 404, times=-1)
    people = ["mia", "noah", "mia", "noah"]
    ids = [(await scene.connect(person=person))["connection_id"] for person in people]
    assert ids[:2] == ids[2:]
    assert len(scene.rows("connections")) == 2


async def test_a_name_that_is_told_later_makes_no_second_connection(scene: Scene) -> None:
    await scene.simulator.fault(WHOSE, "status", 503)
    first = await scene.connect()
    again = await scene.connect()
    assert again["connection_id"] == first["connection_id"]
    assert await scene.house.connections.token(again["connection_id"], who="server")


async def test_the_earlier_choice_stays_if_it_is_still_granted(scene: Scene) -> None:
    first = await scene.connect(advertisers=advertisers("1", "2", "3"))
    await scene.house.connections.choose("2", of=ANNA, id=first["connection_id"])
    again = await scene.connect(advertisers=advertisers("3", "2"))
    assert (again["business_id"], again["selection_required"]) == ("2", False)
    assert row_of(scene)["tiktok_business_id"] == "2"


async def test_each_tiktok_users_own_earlier_choice_comes_first(scene: Scene) -> None:
    shops = advertisers("1", "2", "3")
    first = await scene.connect(person="mia", advertisers=shops)
    await scene.house.connections.choose("2", of=ANNA, id=first["connection_id"])
    await scene.connect(person="noah", advertisers=advertisers("3"))
    assert row_of(scene)["tiktok_business_id"] == "3"
    assert (await scene.connect(person="mia", advertisers=shops))["business_id"] == "2"


async def test_an_earlier_choice_no_longer_granted_has_to_be_made_again(scene: Scene) -> None:
    await scene.connect(advertisers=advertisers("2"))
    again = await scene.connect(advertisers=advertisers("3", "4"))
    assert (again["business_id"], again["selection_required"]) == (None, True)
    assert row_of(scene)["tiktok_business_id"] == "2"
    lost = await scene.house.connections.get(again["connection_id"], of=ANNA)
    assert lost.advertiser_lost
    assert lost.chosen is not None
    assert lost.chosen.id == "2"
    await scene.house.connections.choose("3", of=ANNA)
    mended = await scene.house.connections.get(again["connection_id"], of=ANNA)
    assert not mended.advertiser_lost


async def test_a_single_advertiser_takes_the_place_of_a_lost_one(scene: Scene) -> None:
    await scene.connect(advertisers=advertisers("2"))
    again = await scene.connect(advertisers=advertisers("3"))
    assert (again["business_id"], row_of(scene)["tiktok_business_id"]) == ("3", "3")
    connection = await scene.house.connections.get(again["connection_id"], of=ANNA)
    assert not connection.advertiser_lost


async def test_a_choice_made_in_an_earlier_system_stays(scene: Scene) -> None:
    scene.place.script(
        "insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)"
        f" values ('{ANNA}', 'plain and old', 'Shop 2', '2')"
    )
    answer = await scene.connect(advertisers=advertisers("1", "2", "3"))
    assert (answer["business_id"], answer["selection_required"]) == ("2", False)
    assert row_of(scene)["tiktok_access_token"].startswith("v1.")


async def test_one_users_choice_is_not_anothers(scene: Scene) -> None:
    first = await scene.connect(person="mia", advertisers=advertisers("1", "2"))
    await scene.house.connections.choose("1", of=ANNA, id=first["connection_id"])
    other = UserId("0b5e7a52-91c4-4f0e-8a1d-6d3c5f7e9b22")
    answer = await scene.connect(user_id=other, advertisers=advertisers("1", "2"))
    assert answer["selection_required"]


async def test_a_users_row_that_must_exist_first_is_waited_for(scene: Scene) -> None:
    """user_accounts is the customer's table, and may want more than we can give."""
    if scene.place.kind == "sqlite":
        scene.place.script("alter table user_accounts rename column tiktok_account_id to gone")
        mend = "alter table user_accounts rename column gone to tiktok_account_id"
    else:
        scene.place.script("alter table user_accounts add column plan text not null")
        mend = "alter table user_accounts drop column plan"
    first, second = [(await scene.consent(), scene.state()) for _ in range(2)]
    try:
        for code, state in (first, second):
            with pytest.raises(ConnectorError):
                await scene.post(code, state)
    finally:
        scene.place.script(mend)
    assert (await scene.post(*first))["success"]
    scene.clock.turn(FIRST_RETRY.total_seconds())
    await scene.catch_up()
    assert row_of(scene)["tiktok_business_id"]
    assert scene.place.row("connections")["version"] == 2
    assert scene.exchanges == 2
