"""A grant becomes a connection, and a choice of advertiser reaches `user_accounts`."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from connector.model import Sealed
from connector.store import Store
from tests.clocks import NOON

from .conftest import Memory
from .people import (
    BAR,
    HOUR,
    MINUTE,
    SHOP,
    claim,
    connect,
    failure,
    hold,
    outcome,
    person,
    read,
    save,
)

LATER = NOON + HOUR


async def test_a_new_connection_shows_everything_but_its_tokens(store: Store) -> None:
    user = person()
    id = await connect(
        store, user, accounts=[SHOP, BAR], chosen=BAR, expires_at=LATER, due_at=NOON + MINUTE
    )
    shown = await store.connection(id)
    assert shown is not None
    assert shown.model_dump() == {
        "id": id,
        "user_id": user,
        "family": "marketing",
        "subject": "subject",
        "status": "active",
        "scopes": ("user.info.basic",),
        "accounts": (SHOP.model_dump(), BAR.model_dump()),
        "chosen": BAR.model_dump(),
        "advertiser_lost": False,
        "expires_at": LATER,
        "refresh_expires_at": LATER + HOUR,
        "verified_at": NOON,
        "due_at": NOON + MINUTE,
        "failure": None,
        "connected_at": NOON,
        "created_at": NOON,
        "updated_at": NOON,
        "version": 1,
    }


async def test_a_token_that_never_expires_has_no_time_to(store: Store) -> None:
    shown = await store.connection(await connect(store, due_at=None))
    assert shown is not None
    assert (shown.expires_at, shown.refresh_expires_at, shown.due_at) == (None, None, None)


async def test_saving_answers_the_code_and_takes_its_grant_away(memory: Memory) -> None:
    store, user = await memory.store(), person()
    await claim(store, "code", user, now=NOON - HOUR)
    await store.settle_code(
        "code", holder="one", sealed=Sealed("grant"), answer=None, attempt=None, now=NOON
    )
    id = await connect(store, user, key="code")
    [code] = memory.rows("codes")
    assert code["answer"] == {"success": True, "connection_id": id}
    assert code["sealed"] is None


async def test_reconnecting_keeps_the_id_and_counts_the_tokens(store: Store) -> None:
    user = person()
    first = await connect(store, user)
    again = await connect(store, user, sealed="second", now=LATER)
    kept = await read(store, again)
    assert again == first
    assert (kept.sealed, kept.version) == ("second", 2)
    shown = await store.connection(again)
    assert shown is not None
    assert (shown.created_at, shown.connected_at) == (NOON, LATER)


async def test_what_reconnecting_brings_replaces_all_there_was(store: Store) -> None:
    user = person()
    first = await connect(store, user, chosen=SHOP, expires_at=NOON)
    again: dict[str, Any] = {"scopes": ["video.list"], "accounts": [BAR], "chosen": BAR}
    again |= {"expires_at": LATER, "due_at": LATER, "now": LATER}
    await connect(store, user, **again)
    new = await connect(store, **again)
    replaced, fresh = await store.connection(first), await store.connection(new)
    assert replaced is not None
    assert fresh is not None
    own = {"id", "user_id", "created_at", "version"}
    assert replaced.model_dump(exclude=own) == fresh.model_dump(exclude=own)


async def test_another_tiktok_user_or_family_is_another_connection(memory: Memory) -> None:
    store, user = await memory.store(), person()
    ids = [
        await connect(store, user),
        await connect(store, user, subject="another"),
        await connect(store, user, family="accounts"),
    ]
    assert [event["connection_id"] for event in memory.rows("events")] == ids
    assert [len(await store.attempts(id)) for id in ids] == [1, 1, 1]
    assert await connect(store, user, subject="another") == ids[1]


async def test_the_same_grant_saved_25_times_at_once_is_one_connection(memory: Memory) -> None:
    user, stores = person(), [await memory.store() for _ in range(2)]
    ids = await asyncio.gather(*(connect(stores[n % 2], user) for n in range(25)))
    assert len(set(ids)) == 1
    assert (await read(stores[0], ids[0])).version == 25


async def test_reconnecting_clears_what_was_wrong(store: Store) -> None:
    user = person()
    id = await connect(store, user, chosen=SHOP)
    await hold(store, id)
    failed = outcome(id, status="reconnect_required", failure=failure(), accounts=(BAR,))
    await save(store, failed)
    await connect(store, user, chosen=SHOP)
    shown = await store.connection(id)
    assert shown is not None
    assert (shown.status, shown.failure, shown.advertiser_lost) == ("active", None, False)


async def test_reconnecting_takes_the_lease_from_a_refresh_of_the_old_tokens(store: Store) -> None:
    user = person()
    id = await connect(store, user)
    await hold(store, id)
    await connect(store, user, due_at=LATER)
    assert await hold(store, id, version=2, holder="two") is not None
    assert await save(store, outcome(id, sealed="from the old ones")) == set()


async def test_reconnecting_brings_a_revoked_connection_back(store: Store) -> None:
    user = person()
    id = await connect(store, user)
    await store.begin_revoke(id, now=NOON)
    await connect(store, user)
    assert (await read(store, id)).status == "active"


async def test_saving_tells_of_connected_then_of_reconnected(memory: Memory) -> None:
    store, user = await memory.store(), person()
    id = await connect(store, user, chosen=SHOP)
    await connect(store, user, chosen=None)
    first, second = memory.rows("events")
    assert (first["kind"], first["connection_id"], first["user_id"]) == ("connected", id, user)
    assert first["detail"] == {"family": "marketing", "chosen": SHOP.model_dump()}
    assert second["kind"] == "reconnected"
    assert second["detail"]["chosen"] is None


async def test_saving_logs_the_attempt(store: Store) -> None:
    [logged] = await store.attempts(await connect(store))
    assert (logged.what, logged.verdict, logged.at) == ("exchange", "ok", NOON)


async def test_a_clear_choice_is_written_to_user_accounts(memory: Memory) -> None:
    store, user = await memory.store(), person()
    await connect(store, user, chosen=SHOP, account_token="sealed for them")
    assert memory.account(user) == ("sealed for them", SHOP.name, SHOP.id)


async def test_a_new_choice_replaces_the_one_in_user_accounts(memory: Memory) -> None:
    store, user = await memory.store(), person()
    await connect(store, user, chosen=SHOP, account_token="sealed for them")
    await connect(store, user, chosen=BAR)
    assert memory.account(user) == (None, BAR.name, BAR.id)


async def test_without_a_choice_user_accounts_is_left_alone(memory: Memory) -> None:
    store, user = await memory.store(), person()
    await connect(store, user, accounts=[SHOP, BAR])
    assert memory.account(user) is None


async def test_only_advertisers_go_into_user_accounts(memory: Memory) -> None:
    store, user = await memory.store(), person()
    await connect(store, user, family="login_kit", chosen=SHOP)
    assert memory.account(user) is None


# Choosing


async def test_choosing_writes_the_choice_to_both_places(memory: Memory) -> None:
    store, user = await memory.store(), person()
    id = await connect(store, user, accounts=[SHOP, BAR], chosen=SHOP)
    assert await store.choose(id, chosen=BAR, account_token="sealed for them", now=LATER)
    shown = await store.connection(id)
    assert shown is not None
    assert (shown.chosen, shown.updated_at) == (BAR, LATER)
    assert memory.account(user) == ("sealed for them", BAR.name, BAR.id)
    told = memory.rows("events")[-1]
    assert (told["kind"], told["detail"]) == ("chosen", {"chosen": BAR.model_dump()})


async def test_choosing_again_mends_a_lost_advertiser(store: Store) -> None:
    id = await connect(store, chosen=SHOP)
    await hold(store, id)
    await save(store, outcome(id, accounts=(BAR,)))
    await store.choose(id, chosen=BAR, account_token=None, now=NOON)
    shown = await store.connection(id)
    assert shown is not None
    assert not shown.advertiser_lost


@pytest.mark.parametrize("revoked", [True, False], ids=["revoked", "unknown"])
async def test_nothing_is_chosen_for_a_connection_that_is_gone(
    memory: Memory, revoked: bool
) -> None:
    store, user, id = await memory.store(), person(), str(uuid4())
    if revoked:
        id = await connect(store, user)
        await store.begin_revoke(id, now=NOON)
    assert not await store.choose(id, chosen=SHOP, account_token=None, now=NOON)
    assert memory.account(user) is None
    assert "chosen" not in [event["kind"] for event in memory.rows("events")]
