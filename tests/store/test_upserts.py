"""A grant becomes a connection, and the selected advertiser is written to `user_accounts`."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from connector.model import Ciphertext
from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    HOUR,
    MINUTE,
    OTHER_OWNER,
    OWNER,
    SHOP,
    acquire_lease,
    apply,
    claim_code,
    connect,
    failure,
    new_user_id,
    outcome,
    select,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest, UserAccount

LATER = NOON + HOUR


async def test_a_new_connection_has_all_its_fields_and_no_tokens(store: Store) -> None:
    user = new_user_id()
    id = await connect(
        store,
        user,
        accounts=[SHOP, BAR],
        selected_advertiser=BAR,
        expires_at=LATER,
        due_at=NOON + MINUTE,
    )
    assert (await stored_connection(store, id)).model_dump() == {
        "id": id,
        "user_id": user,
        "family": "marketing",
        "tiktok_user_id": "tiktok-user",
        "status": "active",
        "scopes": ("user.info.basic",),
        "accounts": (SHOP.model_dump(), BAR.model_dump()),
        "selected_advertiser": BAR.model_dump(),
        "advertiser_lost": False,
        "expires_at": LATER,
        "refresh_expires_at": LATER + HOUR,
        "verified_at": NOON,
        "due_at": NOON + MINUTE,
        "last_failure": None,
        "connected_at": NOON,
        "created_at": NOON,
        "updated_at": NOON,
        "token_version": 1,
    }


async def test_a_connection_whose_token_never_expires_has_no_times_of_expiry(
    store: Store,
) -> None:
    connection = await stored_connection(store, await connect(store, due_at=None))
    assert (connection.expires_at, connection.refresh_expires_at) == (None, None)
    assert connection.due_at is None


async def test_an_upsert_stores_the_codes_reply_and_deletes_its_pending_grant(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await claim_code(store, "code", user, now=NOON - HOUR)
    await store.record_code_result(
        "code",
        claimed_by=OWNER,
        encrypted_grant=Ciphertext("grant"),
        reply=None,
        attempt=None,
        now=NOON,
    )
    id = await connect(store, user, code_hash="code")
    [code] = database.rows("codes")
    assert code["reply"] == {"connection_id": id}
    assert code["encrypted_grant"] is None


async def test_reconnecting_does_not_change_the_id_and_increases_the_token_version(
    store: Store,
) -> None:
    user = new_user_id()
    first = await connect(store, user)
    second = await connect(store, user, encrypted_tokens="second", now=LATER)
    assert second == first
    stored = await stored_tokens(store, second)
    assert (stored.encrypted_tokens, stored.token_version) == ("second", 2)
    connection = await stored_connection(store, second)
    assert (connection.created_at, connection.connected_at) == (NOON, LATER)


async def test_reconnecting_replaces_all_other_fields(store: Store) -> None:
    user = new_user_id()
    first = await connect(store, user, selected_advertiser=SHOP, expires_at=NOON)
    fields: dict[str, Any] = {
        "scopes": ["video.list"],
        "accounts": [BAR],
        "selected_advertiser": BAR,
        "expires_at": LATER,
        "due_at": LATER,
        "now": LATER,
    }
    await connect(store, user, **fields)
    replaced = await stored_connection(store, first)
    new = await stored_connection(store, await connect(store, **fields))
    own_fields = {"id", "user_id", "created_at", "token_version"}
    assert replaced.model_dump(exclude=own_fields) == new.model_dump(exclude=own_fields)


async def test_another_tiktok_user_or_family_is_another_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    ids = [
        await connect(store, user),
        await connect(store, user, tiktok_user_id="another"),
        await connect(store, user, family="accounts"),
    ]
    assert [event["connection_id"] for event in database.rows("events")] == ids
    assert [len(await store.list_attempts(id)) for id in ids] == [1, 1, 1]
    assert await connect(store, user, tiktok_user_id="another") == ids[1]


async def test_25_concurrent_upserts_for_one_tiktok_user_are_one_connection(
    database: DatabaseUnderTest,
) -> None:
    user, stores = new_user_id(), [await database.open_store() for _ in range(2)]
    ids = await asyncio.gather(*(connect(stores[n % 2], user) for n in range(25)))
    assert len(set(ids)) == 1
    assert (await stored_tokens(stores[0], ids[0])).token_version == 25


async def test_reconnecting_clears_the_failure_and_the_lost_advertiser(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    ended_outcome = outcome(
        id, status="reconnect_required", last_failure=failure(), accounts=(BAR,)
    )
    await apply(store, ended_outcome)
    await connect(store, user, selected_advertiser=SHOP)
    connection = await stored_connection(store, id)
    assert (connection.status, connection.last_failure) == ("active", None)
    assert not connection.advertiser_lost


async def test_reconnecting_without_the_selected_advertiser_loses_it(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    await connect(store, user, accounts=[BAR])
    connection = await stored_connection(store, id)
    assert (connection.selected_advertiser, connection.advertiser_lost) == (SHOP, True)


async def test_reconnecting_ends_the_lease_of_a_refresh_of_the_old_tokens(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await acquire_lease(store, id)
    await connect(store, user, due_at=LATER)
    assert await acquire_lease(store, id, token_version=2, owner=OTHER_OWNER) is not None
    assert await apply(store, outcome(id, encrypted_tokens="made from the old tokens")) == set()


async def test_reconnecting_makes_a_disconnected_connection_active(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await store.mark_disconnected(id, now=NOON)
    await connect(store, user, now=LATER)
    assert (await stored_tokens(store, id)).status == "active"


async def test_an_upsert_writes_a_connected_event_and_later_a_reconnected_event(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    await connect(store, user, accounts=[BAR])
    first, second, third = database.rows("events")
    assert (first["connection_id"], first["user_id"]) == (id, user)
    assert first["data"] == {
        "connection": {
            "id": id,
            "user_id": user,
            "family": "marketing",
            "tiktok_user_id": first["data"]["connection"]["tiktok_user_id"],
            "status": "active",
            "account": None,
            "advertiser": {"id": SHOP.id, "name": SHOP.name},
            "advertiser_lost": False,
        },
        "reason": None,
    }
    assert database.event_types() == ["connected", "reconnected", "advertiser_lost"]
    assert second["data"] == third["data"]
    assert third["data"]["connection"]["advertiser_lost"]


async def test_selecting_an_advertiser_writes_the_connection_user_accounts_and_an_event(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    assert await select(store, id, BAR, account_token="encrypted", now=LATER) == BAR
    connection = await stored_connection(store, id)
    assert (connection.selected_advertiser, connection.updated_at) == (BAR, LATER)
    assert database.user_account(user) == UserAccount("encrypted", BAR.name, BAR.id)
    event = database.rows("events")[-1]
    assert event["type"] == "connection.advertiser_selected"
    assert event["data"]["connection"]["advertiser"] == {"id": BAR.id, "name": BAR.name}


async def test_selecting_an_advertiser_clears_that_the_former_one_was_lost(store: Store) -> None:
    id = await connect(store, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    await apply(store, outcome(id, accounts=(BAR,)))
    assert await select(store, id, BAR)
    assert not (await stored_connection(store, id)).advertiser_lost


@pytest.mark.parametrize("disconnected", [True, False], ids=["disconnected", "unknown"])
async def test_no_advertiser_is_selected_for_a_disconnected_or_unknown_connection(
    database: DatabaseUnderTest, disconnected: bool
) -> None:
    store, user, id = await database.open_store(), new_user_id(), str(uuid4())
    if disconnected:
        id = await connect(store, user)
        await store.mark_disconnected(id, now=NOON)
    assert not await select(store, id, SHOP)
    assert database.user_account(user) is None
    assert "advertiser_selected" not in database.event_types()
