"""`user_accounts` shows the advertiser of one live connection, or nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.manual_clock import NOON

from .builders import (
    BAR,
    HOUR,
    SHOP,
    acquire_lease,
    apply,
    connect,
    failure,
    new_user_id,
    outcome,
    select,
    stored_connection,
)
from .conftest import DatabaseUnderTest, UserAccount

LATER = NOON + HOUR
EMPTY = UserAccount(None, None, None)


async def test_the_only_advertiser_of_another_tiktok_user_does_not_replace_a_selection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(store, user, selected_advertiser=SHOP, account_token="shop token")
    other = await connect(store, user, selected_advertiser=BAR, tiktok_user_id="other")
    assert database.user_account(user) == UserAccount("shop token", SHOP.name, SHOP.id)
    assert (await stored_connection(store, other)).selected_advertiser is None


@pytest.mark.parametrize("end", ["disconnected", "reconnect_required", "advertiser lost"])
async def test_the_only_advertiser_is_selected_if_the_connection_with_the_selection_has_ended(
    database: DatabaseUnderTest, end: str
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    if end == "disconnected":
        await store.mark_disconnected(id, now=NOON)
    else:
        await acquire_lease(store, id)
        ended = {"status": "reconnect_required", "last_failure": failure()}
        lost = {"accounts": (BAR,)}
        fields: dict[str, Any] = ended if end == "reconnect_required" else lost
        await apply(store, outcome(id, **fields))
    await connect(store, user, selected_advertiser=BAR, tiktok_user_id="other", now=LATER)
    assert database.user_account(user) == UserAccount(None, BAR.name, BAR.id)


async def test_reconnecting_keeps_the_selection_and_renews_the_token_in_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    await connect(store, user, accounts=[SHOP, BAR], account_token="new token")
    assert (await stored_connection(store, id)).selected_advertiser == SHOP
    assert database.user_account(user) == UserAccount("new token", SHOP.name, SHOP.id)


async def test_reconnecting_does_not_replace_the_selection_in_another_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    first = await connect(store, user, selected_advertiser=SHOP)
    second = await connect(store, user, accounts=[BAR], tiktok_user_id="other")
    await select(store, second, BAR, account_token="bar token")
    await connect(store, user, selected_advertiser=SHOP, account_token="shop token")
    assert database.user_account(user) == UserAccount("bar token", BAR.name, BAR.id)
    assert (await stored_connection(store, first)).selected_advertiser == SHOP


async def test_a_selection_made_while_a_reconnect_runs_is_kept_if_it_is_still_granted(
    database: DatabaseUnderTest,
) -> None:
    """The reconnect has read the former selection before."""
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    await select(store, id, BAR)
    await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    assert database.user_account(user) == UserAccount(None, BAR.name, BAR.id)


async def test_reconnecting_without_the_selected_advertiser_clears_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(store, user, selected_advertiser=SHOP, account_token="token")
    await connect(store, user, accounts=[BAR])
    assert database.user_account(user) == EMPTY


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "reconnect_required", "last_failure": failure()},
        {"accounts": (BAR,)},
    ],
    ids=["the grant ended", "the advertiser was lost"],
)
async def test_an_outcome_that_ends_the_selection_clears_user_accounts(
    database: DatabaseUnderTest, fields: dict[str, Any]
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="token")
    await acquire_lease(store, id)
    await apply(store, outcome(id, **fields))
    assert database.user_account(user) == EMPTY


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "refresh_failing", "last_failure": failure()},
        {"accounts": (BAR, SHOP)},
        {"encrypted_tokens": "second"},
    ],
)
async def test_an_outcome_that_does_not_end_the_selection_leaves_user_accounts_unchanged(
    database: DatabaseUnderTest, fields: dict[str, Any]
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="token")
    await acquire_lease(store, id)
    await apply(store, outcome(id, **fields))
    assert database.user_account(user) == UserAccount("token", SHOP.name, SHOP.id)


async def test_the_end_of_another_connection_leaves_user_accounts_unchanged(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    first = await connect(store, user, selected_advertiser=SHOP)
    second = await connect(store, user, accounts=[BAR], tiktok_user_id="other")
    await select(store, second, BAR)
    await acquire_lease(store, first)
    await apply(store, outcome(first, status="reconnect_required", last_failure=failure()))
    assert database.user_account(user) == UserAccount(None, BAR.name, BAR.id)
    await store.mark_disconnected(first, now=NOON)
    assert database.user_account(user) == UserAccount(None, BAR.name, BAR.id)


async def test_an_advertiser_is_not_selected_with_the_token_of_an_older_grant(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR])
    await connect(store, user, accounts=[SHOP, BAR])
    assert await select(store, id, SHOP, token_version=1) is None
    assert database.user_account(user) is None
    assert await select(store, id, SHOP, token_version=2) == SHOP


async def test_an_advertiser_that_was_not_granted_is_not_selected(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP])
    assert await select(store, id, BAR) is None
    assert database.user_account(user) is None


async def test_the_name_of_a_selected_advertiser_comes_from_the_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR])
    renamed = BAR.model_copy(update={"name": "forged"})
    assert await select(store, id, renamed) == BAR
    assert database.user_account(user) == UserAccount(None, BAR.name, BAR.id)


async def test_concurrent_selections_in_two_connections_leave_exactly_one_in_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    user, stores = new_user_id(), [await database.open_store() for _ in range(2)]
    ids = [
        await connect(stores[0], user, accounts=[SHOP, BAR], tiktok_user_id=name)
        for name in ("first", "second")
    ]
    await asyncio.gather(
        *(
            select(stores[n % 2], ids[n % 2], (SHOP, BAR)[n % 2], account_token=f"token {n % 2}")
            for n in range(20)
        )
    )
    [shown] = [row for row in database.rows("connections") if row["in_user_accounts"]]
    number = ids.index(shown["id"])
    advertiser = (SHOP, BAR)[number]
    assert database.user_account(user) == UserAccount(
        f"token {number}", advertiser.name, advertiser.id
    )
