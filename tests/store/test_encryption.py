"""Ciphertexts of all tables: listing them, and replacing them for the rotation of a key."""

from __future__ import annotations

from uuid import uuid4

import pytest

from connector.model import Ciphertext
from connector.store import EncryptedRow, Replacement, Store
from tests.manual_clock import NOON

from .builders import (
    OWNER,
    SHOP,
    acquire_lease,
    apply,
    claim_code,
    connect,
    new_user_id,
    outcome,
    stored_tokens,
)

TABLES = ["connections", "user_accounts", "codes"]


async def store_ciphertexts(store: Store) -> dict[str, EncryptedRow]:
    """Stores the ciphertext "old" in each table: a connection, a user account and a pending grant."""
    user = new_user_id()
    id = await connect(
        store, user, selected_advertiser=SHOP, encrypted_tokens="old", account_token="old"
    )
    await claim_code(store, "code", user)
    await store.record_code_result(
        "code",
        claimed_by=OWNER,
        encrypted_grant=Ciphertext("old"),
        reply=None,
        attempt=None,
        now=NOON,
    )
    return {
        "connections": EncryptedRow(
            row_key=id,
            ciphertext="old",
            user_id=user,
            family="marketing",
            tiktok_user_id="tiktok-user",
        ),
        "user_accounts": EncryptedRow(row_key=user, ciphertext="old", user_id=user),
        "codes": EncryptedRow(row_key="code", ciphertext="old"),
    }


async def ciphertexts(store: Store, table: str) -> list[EncryptedRow]:
    return await store.list_ciphertexts(table, after_key=None)


def replacement(row_key: str, *, old: str = "old") -> Replacement:
    return Replacement(row_key=row_key, old=old, new="new")


@pytest.mark.parametrize("table", TABLES)
async def test_a_ciphertext_is_listed_with_the_columns_of_its_associated_data(
    store: Store, table: str
) -> None:
    await connect(store, selected_advertiser=SHOP, family="login_kit", encrypted_tokens="old")
    expected = (await store_ciphertexts(store))[table]
    assert expected in await ciphertexts(store, table)


@pytest.mark.parametrize("table", TABLES)
async def test_no_ciphertext_is_listed_after_the_last_one(store: Store, table: str) -> None:
    last = (await store_ciphertexts(store))[table]
    assert await store.list_ciphertexts(table, after_key=last.row_key) == []


async def test_more_ciphertexts_than_one_page_are_listed_once_each(store: Store) -> None:
    ids = [await connect(store) for _ in range(201)]
    first = await ciphertexts(store, "connections")
    second = await store.list_ciphertexts("connections", after_key=first[-1].row_key)
    assert [row.row_key for row in first + second] == sorted(ids)


@pytest.mark.parametrize("table", TABLES)
async def test_a_replacement_changes_the_ciphertext_in_its_table_only(
    store: Store, table: str
) -> None:
    row = (await store_ciphertexts(store))[table]
    await store.replace_ciphertexts(table, [replacement(row.row_key)])
    assert await ciphertexts(store, table) == [row.model_copy(update={"ciphertext": "new"})]
    for other in set(TABLES) - {table}:
        assert [row.ciphertext for row in await ciphertexts(store, other)] == ["old"]


@pytest.mark.parametrize("table", TABLES)
async def test_a_replacement_leaves_another_row_with_the_same_ciphertext_unchanged(
    store: Store, table: str
) -> None:
    row = (await store_ciphertexts(store))[table]
    await store.replace_ciphertexts(table, [replacement(str(uuid4()))])
    assert await ciphertexts(store, table) == [row]


@pytest.mark.parametrize("table", TABLES)
async def test_a_replacement_leaves_a_ciphertext_that_has_changed_meanwhile_unchanged(
    store: Store, table: str
) -> None:
    row = (await store_ciphertexts(store))[table]
    await store.replace_ciphertexts(table, [replacement(row.row_key, old="older")])
    assert await ciphertexts(store, table) == [row]


async def test_a_replacement_does_not_make_a_running_refresh_fail(store: Store) -> None:
    id = await connect(store, encrypted_tokens="old")
    await acquire_lease(store, id)
    await store.replace_ciphertexts("connections", [replacement(id)])
    assert (await stored_tokens(store, id)).token_version == 1
    assert await apply(store, outcome(id, encrypted_tokens="second")) == {id}
