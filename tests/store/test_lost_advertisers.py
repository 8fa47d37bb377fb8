"""An outcome with new accounts records whether the selected advertiser is still granted."""

from __future__ import annotations

from connector.model import Account
from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    SHOP,
    acquire_lease,
    apply,
    connect,
    new_user_id,
    outcome,
    select,
    stored_connection,
)
from .conftest import DatabaseUnderTest, UserAccount

EMPTY = UserAccount(token=None, advertiser_name=None, advertiser_id=None)


async def apply_accounts(store: Store, connection_id: str, *accounts: Account) -> None:
    await acquire_lease(store, connection_id)
    await apply(store, outcome(connection_id, accounts=accounts, account_token="probed"))


async def test_an_outcome_can_replace_the_accounts(store: Store) -> None:
    id = await connect(store, selected_advertiser=SHOP)
    await apply_accounts(store, id, BAR, SHOP)
    await acquire_lease(store, id)
    await apply(store, outcome(id))
    connection = await stored_connection(store, id)
    assert connection.accounts == (BAR, SHOP)
    assert (connection.selected_advertiser, connection.advertiser_lost) == (SHOP, False)


async def test_a_selected_advertiser_that_is_no_longer_granted_is_lost_with_one_event(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    await apply_accounts(store, id, BAR)
    await apply_accounts(store, id)
    connection = await stored_connection(store, id)
    assert (connection.advertiser_lost, connection.selected_advertiser) == (True, SHOP)
    assert connection.accounts == ()
    events = [
        event for event in database.rows("events") if event["type"] == "connection.advertiser_lost"
    ]
    assert [event["data"]["connection"]["advertiser"] for event in events] == [
        {"id": SHOP.id, "name": SHOP.name}
    ]
    assert [event["data"]["connection"]["advertiser_lost"] for event in events] == [True]


async def test_a_lost_advertiser_that_is_granted_again_is_no_longer_lost(store: Store) -> None:
    id = await connect(store, selected_advertiser=SHOP)
    await apply_accounts(store, id, BAR)
    await apply_accounts(store, id, SHOP)
    assert not (await stored_connection(store, id)).advertiser_lost


async def test_a_lost_advertiser_that_is_granted_again_returns_to_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="first")
    await apply_accounts(store, id, BAR)
    assert database.user_account(user) == EMPTY
    await apply_accounts(store, id, BAR, SHOP)
    assert database.user_account(user) == UserAccount("probed", SHOP.name, SHOP.id)
    await store.mark_disconnected(id, now=NOON)
    assert database.user_account(user) == EMPTY


async def test_a_lost_advertiser_that_is_granted_again_does_not_replace_another_choice(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="first")
    await apply_accounts(store, id, BAR)
    other = await connect(store, user, tiktok_user_id="other", accounts=[BAR])
    await select(store, other, BAR, account_token="chosen")
    await apply_accounts(store, id, SHOP)
    assert database.user_account(user) == UserAccount("chosen", BAR.name, BAR.id)


async def test_the_outcome_of_a_disconnected_connection_does_not_return_to_user_accounts(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="first")
    await apply_accounts(store, id, BAR)
    await store.mark_disconnected(id, now=NOON)
    await apply_accounts(store, id, SHOP)
    assert database.user_account(user) == EMPTY


async def test_accounts_of_a_late_owner_that_are_stored_write_the_advertiser_lost_event(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    late = outcome(id, lease_owner="late", encrypted_tokens="second", accounts=(BAR,))
    await apply(store, late)
    assert database.event_types() == ["connected", "advertiser_lost"]


async def test_new_accounts_cause_no_lost_advertiser_if_none_was_selected(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await apply_accounts(store, await connect(store), BAR)
    assert database.event_types() == ["connected"]
