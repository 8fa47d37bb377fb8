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


async def test_a_user_tiktok_would_not_name_is_the_one_we_know(scene: Scene) -> None:
    first = await scene.connect()
    await scene.simulator.fault(WHOSE, "status", 404)
    assert (await scene.connect())["connection_id"] == first["connection_id"]


async def test_among_several_we_know_nobody_is_guessed(scene: Scene) -> None:
    known = [await scene.connect(person=person) for person in ("mia", "noah")]
    await scene.simulator.fault(WHOSE, "status", 404)
    answer = await scene.connect(person="mia")
    assert answer["connection_id"] not in {each["connection_id"] for each in known}


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
    code, state = await scene.consent(), scene.state()
    try:
        with pytest.raises(ConnectorError):
            await scene.post(code, state)
    finally:
        scene.place.script(mend)
    scene.clock.turn(FIRST_RETRY.total_seconds())
    await scene.catch_up()
    assert row_of(scene)["tiktok_business_id"]
    assert scene.exchanges == 1
