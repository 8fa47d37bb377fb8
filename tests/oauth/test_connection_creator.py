"""A grant updates the connection of the same TikTok user and retains a valid selected advertiser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.model import UserId
from connector.oauth.connection_creator import PROFILE_WAIT_SECONDS
from connector.schedule import MIN_RETRY_DELAY
from tests.credentials import ANNA

from .harness import BEN, FAMILIES, USER_INFO, ExchangeHarness, on_sqlite

FAULTS = [
    ("code", 40001),
    ("code", 50000),
    ("status", 404),
    ("garbage", "html"),
    ("garbage", "wrong_type"),
]
OPTIONAL_LOOKUPS = {"marketing": USER_INFO, "accounts": "business/get", "login_kit": USER_INFO}


def advertisers(*ids: str) -> list[dict[str, str]]:
    return [{"id": id, "name": f"Shop {id}"} for id in ids]


def user_account(harness: ExchangeHarness, user_id: UserId = ANNA) -> dict[str, Any]:
    return next(row for row in harness.rows("user_accounts") if row["id"] == user_id)


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), FAULTS)
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_failed_profile_lookup_does_not_prevent_the_connection(
    harness: ExchangeHarness, family: str, kind: str, value: Any
) -> None:
    await harness.simulator.fault(OPTIONAL_LOOKUPS[family], kind, value)
    assert (await harness.connect(family)).success
    assert harness.row("connections")["status"] == "active"


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_profile_lookup_that_takes_too_long_is_skipped(
    harness: ExchangeHarness, family: str
) -> None:
    await harness.simulator.fault(OPTIONAL_LOOKUPS[family], "hang")
    connecting = asyncio.create_task(harness.connect(family))
    await harness.wait_for_call(OPTIONAL_LOOKUPS[family])
    await harness.clock.until_asleep()
    harness.clock.advance(PROFILE_WAIT_SECONDS)
    assert (await connecting).success


@on_sqlite
@pytest.mark.parametrize("form", ["float", "object", "long"])
@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_a_grant_with_a_malformed_open_id_becomes_a_connection_of_the_same_person(
    harness: ExchangeHarness, family: str, form: str
) -> None:
    first = await harness.connect(family)
    await harness.simulator.post("/_sim/settings", {"open_id_form": form})
    assert (await harness.connect(family)).connection_id == first.connection_id
    assert harness.row("connections")["status"] == "active"


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), FAULTS)
async def test_a_person_whose_user_id_is_unknown_never_overwrites_another_persons_connection(
    harness: ExchangeHarness, kind: str, value: Any
) -> None:
    first = await harness.connect(person="mia")
    await harness.simulator.fault(USER_INFO, kind, value)
    assert (await harness.connect(person="noah")).connection_id != first.connection_id
    row = next(row for row in harness.rows("connections") if row["id"] == first.connection_id)
    assert row["token_version"] == 1


async def test_a_person_whose_user_id_is_unknown_is_matched_by_a_shared_advertiser(
    harness: ExchangeHarness,
) -> None:
    first = {person: await harness.connect(person=person) for person in ("mia", "noah")}
    await harness.simulator.fault(USER_INFO, "status", 404)
    again = await harness.connect(person="mia", advertisers=3)
    assert again.connection_id == first["mia"].connection_id


async def test_each_person_whose_user_id_stays_unknown_has_one_connection(
    harness: ExchangeHarness,
) -> None:
    await harness.simulator.fault(USER_INFO, "status", 404, times=-1)
    people = ["mia", "noah", "mia", "noah"]
    ids = [(await harness.connect(person=person)).connection_id for person in people]
    assert ids[:2] == ids[2:]
    assert len(harness.rows("connections")) == 2


async def test_a_user_id_that_is_reported_later_creates_no_second_connection(
    harness: ExchangeHarness,
) -> None:
    await harness.simulator.fault(USER_INFO, "status", 503)
    first = await harness.connect()
    again = await harness.connect()
    assert again.connection_id == first.connection_id
    assert await harness.access_token(again.connection_id)


async def test_a_previous_selection_that_is_still_granted_stays(harness: ExchangeHarness) -> None:
    first = await harness.connect(advertisers=advertisers("1", "2", "3"))
    await harness.select_advertiser("2", first.connection_id)
    again = await harness.connect(advertisers=advertisers("3", "2"))
    assert (again.business_id, again.selection_required) == ("2", False)
    assert user_account(harness)["tiktok_business_id"] == "2"


async def test_the_previous_selection_of_the_same_tiktok_user_has_priority(
    harness: ExchangeHarness,
) -> None:
    shops = advertisers("1", "2", "3")
    first = await harness.connect(person="mia", advertisers=shops)
    await harness.select_advertiser("2", first.connection_id)
    other = await harness.connect(person="noah", advertisers=advertisers("3", "4"))
    await harness.select_advertiser("3", other.connection_id)
    assert user_account(harness)["tiktok_business_id"] == "3"
    assert (await harness.connect(person="mia", advertisers=shops)).business_id == "2"
    assert user_account(harness)["tiktok_business_id"] == "3"


async def test_a_previous_selection_that_is_no_longer_granted_must_be_made_again(
    harness: ExchangeHarness,
) -> None:
    await harness.connect(advertisers=advertisers("2"))
    again = await harness.connect(advertisers=advertisers("3", "4"))
    assert (again.business_id, again.selection_required) == (None, True)
    assert user_account(harness)["tiktok_business_id"] is None
    connection = await harness.get_connection(again.connection_id)
    assert connection.advertiser_lost
    assert connection.selected_advertiser is not None
    assert connection.selected_advertiser.id == "2"
    await harness.select_advertiser("3")
    connection = await harness.get_connection(again.connection_id)
    assert not connection.advertiser_lost


async def test_a_single_advertiser_replaces_a_selected_one_that_was_lost(
    harness: ExchangeHarness,
) -> None:
    await harness.connect(advertisers=advertisers("2"))
    again = await harness.connect(advertisers=advertisers("3"))
    assert (again.business_id, user_account(harness)["tiktok_business_id"]) == ("3", "3")
    connection = await harness.get_connection(again.connection_id)
    assert not connection.advertiser_lost


async def test_a_selection_that_another_system_made_in_user_accounts_stays(
    harness: ExchangeHarness,
) -> None:
    harness.database.script(
        "insert into user_accounts (id, tiktok_access_token, tiktok_account_id, tiktok_business_id)"
        f" values ('{ANNA}', 'plain and old', 'Shop 2', '2')"
    )
    reply = await harness.connect(advertisers=advertisers("1", "2", "3"))
    assert (reply.business_id, reply.selection_required) == ("2", False)
    assert user_account(harness)["tiktok_access_token"].startswith("v1.")


async def test_a_users_selection_does_not_apply_to_another_user(harness: ExchangeHarness) -> None:
    first = await harness.connect(person="mia", advertisers=advertisers("1", "2"))
    await harness.select_advertiser("1", first.connection_id)
    reply = await harness.connect(user_id=BEN, advertisers=advertisers("1", "2"))
    assert reply.selection_required


async def test_a_grant_stays_pending_while_user_accounts_rejects_the_row(
    harness: ExchangeHarness,
) -> None:
    """user_accounts is the customer's table, and its rules may reject what the service writes."""
    if harness.database.kind == "sqlite":
        harness.database.script(
            "alter table user_accounts rename column tiktok_account_id to renamed"
        )
        repair = "alter table user_accounts rename column renamed to tiktok_account_id"
    else:
        harness.database.script("alter table user_accounts add column plan text not null")
        repair = "alter table user_accounts drop column plan"
    first, second = [(await harness.consent(), harness.state()) for _ in range(2)]
    try:
        for code, state in (first, second):
            with pytest.raises(ConnectorError):
                await harness.post(code, state)
    finally:
        harness.database.script(repair)
    assert (await harness.post(*first)).success
    harness.clock.advance(MIN_RETRY_DELAY.total_seconds())
    await harness.retry_pending()
    assert user_account(harness)["tiktok_business_id"]
    assert harness.row("connections")["token_version"] == 2
    assert harness.exchange_count == 2
