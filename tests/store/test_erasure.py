"""Erasing a person deletes everything about them, and nothing about anybody else."""

from __future__ import annotations

from connector.model import UserId

from .builders import (
    BAR,
    SHOP,
    acquire_lease,
    apply,
    audit_entry,
    claim_code,
    connect,
    new_user_id,
    outcome,
    stored_connection,
)
from .conftest import DatabaseUnderTest, UserAccount

EMPTY = UserAccount(token=None, advertiser_name=None, advertiser_id=None)
TABLES = ("connections", "codes", "events", "attempts")


async def test_erasing_a_user_deletes_every_row_about_the_user(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    first = await connect(store, user, selected_advertiser=SHOP, account_token="canary")
    second = await connect(store, user, family="login_kit", tiktok_user_id="other")
    await claim_code(store, "unused code", user)
    await acquire_lease(store, first)
    await apply(store, outcome(first, encrypted_tokens="second"))
    assert set(await store.erase_user(user)) == {first, second}
    assert {table: database.rows(table) for table in TABLES} == {table: [] for table in TABLES}


async def test_the_customers_row_of_an_erased_user_stays_without_the_services_values(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(store, user, selected_advertiser=SHOP, account_token="canary")
    await store.erase_user(user)
    assert database.user_account(user) == EMPTY


async def test_erasing_a_user_changes_nothing_about_other_users(
    database: DatabaseUnderTest,
) -> None:
    store, other = await database.open_store(), new_user_id()
    id = await connect(store, other, selected_advertiser=BAR, account_token="token")
    before = {table: database.rows(table) for table in (*TABLES, "user_accounts")}
    for user in (await _connected(database), new_user_id()):
        await store.erase_user(user)
    rows = {table: database.rows(table) for table in TABLES}
    assert rows == {table: before[table] for table in TABLES}
    assert database.user_account(other) == UserAccount("token", BAR.name, BAR.id)
    assert (await stored_connection(store, id)).status == "active"


async def test_erasing_a_user_leaves_audit_entries_without_the_person(
    database: DatabaseUnderTest,
) -> None:
    store, user, other = await database.open_store(), new_user_id(), new_user_id()
    await store.add_audit_entries(
        [
            audit_entry(id="1", user_id=user, connection_id="c", peer="192.0.2.1"),
            audit_entry(id="2", user_id=user, actor="user", peer="192.0.2.2"),
            audit_entry(id="3", user_id=user, actor="person", peer="192.0.2.3"),
            audit_entry(id="4", user_id=other, actor="user", connection_id="d", peer="192.0.2.4"),
        ]
    )
    await store.erase_user(user)
    columns = ("id", "user_id", "connection_id", "peer")
    rows = [tuple(row[column] for column in columns) for row in database.rows("audit")]
    assert sorted(rows) == [
        ("1", "erased", "erased", "192.0.2.1"),
        ("2", "erased", None, None),
        ("3", "erased", None, None),
        ("4", other, "d", "192.0.2.4"),
    ]


async def _connected(database: DatabaseUnderTest) -> UserId:
    user = new_user_id()
    await connect(await database.open_store(), user, selected_advertiser=SHOP)
    return user


async def test_erasing_a_user_twice_or_an_unknown_user_deletes_nothing(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), await _connected(database)
    assert len(await store.erase_user(user)) == 1
    assert await store.erase_user(user) == []
    assert await store.erase_user(new_user_id()) == []


async def test_a_refresh_that_ends_after_the_erasure_does_not_restore_the_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await acquire_lease(store, id)
    await store.erase_user(user)
    assert await apply(store, outcome(id, encrypted_tokens="second")) == set()
    assert database.rows("connections") == []


async def test_a_code_of_an_erased_user_can_be_claimed_again(database: DatabaseUnderTest) -> None:
    """Nothing remembers the person, so a new consent starts from nothing."""
    store, user = await database.open_store(), new_user_id()
    await connect(store, user, code_hash="code")
    await store.erase_user(user)
    id = await connect(store, user, code_hash="code")
    assert (await stored_connection(store, id)).token_version == 1
