"""Disconnecting changes the status immediately; the tokens stay until TikTok has revoked them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from connector.store import ClaimedCode, Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    HOUR,
    MINUTE,
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
)
from .conftest import DatabaseUnderTest, UserAccount

LATER = NOON + HOUR
EMPTY = UserAccount(token=None, advertiser_name=None, advertiser_id=None)


async def test_a_disconnected_connection_still_has_its_tokens_and_is_due_immediately(
    store: Store,
) -> None:
    id = await connect(store, due_at=LATER)
    stored = await store.mark_disconnected(id, now=NOON)
    assert stored is not None
    assert (stored.status, stored.encrypted_tokens) == ("revoked", "first")
    assert (await stored_connection(store, id)).due_at == NOON


async def test_disconnecting_an_unknown_connection_returns_none(store: Store) -> None:
    assert await store.mark_disconnected(str(uuid4()), now=NOON) is None


async def test_disconnecting_twice_changes_nothing_the_second_time(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    first = await store.mark_disconnected(id, now=NOON)
    assert await store.mark_disconnected(id, now=LATER) == first
    connection = await stored_connection(store, id)
    assert (connection.due_at, connection.updated_at) == (NOON, NOON)
    assert database.event_types() == ["connected", "disconnected"]


async def test_a_disconnected_connection_is_due_only_when_a_running_refresh_lease_ends(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await store.mark_disconnected(id, now=NOON)
    assert (await stored_connection(store, id)).due_at == NOON + MINUTE


async def test_a_disconnected_connection_is_due_immediately_if_its_refresh_lease_has_expired(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await store.mark_disconnected(id, now=LATER)
    assert (await stored_connection(store, id)).due_at == LATER


async def test_disconnecting_clears_the_last_failure(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="refresh_failing", last_failure=failure()))
    stored = await store.mark_disconnected(id, now=NOON)
    assert stored is not None
    assert stored.last_failure is None


async def test_disconnecting_clears_the_selected_advertiser_in_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="encrypted")
    await store.mark_disconnected(id, now=NOON)
    assert database.user_account(user) == EMPTY


async def test_disconnecting_does_not_change_the_advertiser_of_the_users_other_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, tiktok_user_id="old")
    new = await connect(store, user, accounts=[BAR], tiktok_user_id="new")
    await select(store, new, BAR, account_token="new token")
    await store.mark_disconnected(id, now=NOON)
    assert database.user_account(user) == UserAccount("new token", BAR.name, BAR.id)


async def test_disconnecting_does_not_change_the_same_advertiser_of_another_user(
    database: DatabaseUnderTest,
) -> None:
    store, user, other_user = await database.open_store(), new_user_id(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    await connect(store, other_user, selected_advertiser=SHOP)
    await store.mark_disconnected(id, now=NOON)
    assert database.user_account(other_user) == UserAccount(None, SHOP.name, SHOP.id)


async def test_disconnecting_again_does_not_change_an_advertiser_that_was_selected_meanwhile(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    old = await connect(store, user, selected_advertiser=SHOP, tiktok_user_id="old")
    await store.mark_disconnected(old, now=NOON)
    await connect(store, user, selected_advertiser=SHOP, tiktok_user_id="new", now=LATER)
    await store.mark_disconnected(old, now=LATER + timedelta(seconds=1))
    assert database.user_account(user) == UserAccount(None, SHOP.name, SHOP.id)


async def test_a_code_claim_returns_the_selected_advertiser_of_a_disconnected_connection(
    store: Store,
) -> None:
    """With this advertiser, reconnecting can select the same advertiser again."""
    user = new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP)
    await store.mark_disconnected(id, now=NOON)
    claim = await claim_code(store, "code", user)
    assert isinstance(claim, ClaimedCode)
    [existing] = claim.existing_connections
    assert (existing.id, existing.selected_advertiser) == (id, SHOP)
    assert claim.legacy_advertiser_id is None
