"""Grants have an order, the time of their claims: an older grant replaces nothing and revives nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.model import Ciphertext, UserId
from connector.store import AnsweredCode, ClaimedCode, Store, UpsertResult
from tests.manual_clock import NOON

from .builders import (
    HOUR,
    MINUTE,
    OWNER,
    claim_code,
    connect,
    connection_upsert,
    new_user_id,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest

LATER = NOON + HOUR
SUPERSEDED = {"code": "superseded"}


async def save(
    store: Store, user_id: UserId, code_hash: str, *, claimed_at: datetime = NOON, **fields: Any
) -> UpsertResult:
    upsert = connection_upsert(user_id, code_hash, claimed_at=claimed_at, **fields)
    return await store.upsert_connection(upsert, now=LATER)


async def store_pending_grant(
    store: Store, user_id: UserId, code_hash: str, *, family: str = "marketing"
) -> None:
    await claim_code(store, code_hash, user_id, family=family)
    await store.record_code_result(
        code_hash,
        claimed_by=OWNER,
        encrypted_grant=Ciphertext("grant"),
        reply=None,
        attempt=None,
        now=NOON,
    )


async def test_a_claim_returns_the_time_of_the_first_claim_of_the_code(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    claim = await claim_code(store, "code", user, now=NOON + MINUTE)
    assert isinstance(claim, ClaimedCode)
    assert claim.claimed_at == NOON


async def test_an_older_grant_that_is_saved_later_does_not_replace_a_newer_one(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await claim_code(store, "old", user)
    id = await connect(store, user, encrypted_tokens="new", now=NOON + MINUTE)
    assert (await save(store, user, "old", encrypted_tokens="old")).error_code == "superseded"
    stored = await stored_tokens(store, id)
    assert (stored.encrypted_tokens, stored.token_version) == ("new", 1)
    assert database.reply("old") == SUPERSEDED
    assert await claim_code(store, "old", user, now=LATER) == AnsweredCode(reply=SUPERSEDED)
    assert database.event_types() == ["connected"]


async def test_a_grant_that_was_claimed_before_a_disconnect_does_not_revive_the_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await claim_code(store, "late", user, now=NOON + MINUTE)
    await store.mark_disconnected(id, now=NOON + 2 * MINUTE)
    saved = await save(store, user, "late", claimed_at=NOON + MINUTE)
    assert saved.error_code == "superseded"
    assert (await stored_connection(store, id)).status == "revoked"


async def test_a_grant_that_was_claimed_at_the_time_of_the_disconnect_is_superseded(
    store: Store,
) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await claim_code(store, "late", user, now=NOON + MINUTE)
    await store.mark_disconnected(id, now=NOON + MINUTE)
    saved = await save(store, user, "late", claimed_at=NOON + MINUTE)
    assert saved.error_code == "superseded"


async def test_a_disconnect_also_drops_a_late_grant_for_another_tiktok_user_of_the_family(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await claim_code(store, "late", user)
    await store.mark_disconnected(id, now=NOON + MINUTE)
    assert (await save(store, user, "late", tiktok_user_id="new")).error_code == "superseded"
    assert len(database.rows("connections")) == 1


async def test_a_disconnect_does_not_affect_another_family_or_another_user(store: Store) -> None:
    user, other = new_user_id(), new_user_id()
    id = await connect(store, user)
    await claim_code(store, "other family", user, family="login_kit")
    await claim_code(store, "other user", other)
    await store.mark_disconnected(id, now=NOON + MINUTE)
    assert (await save(store, user, "other family", family="login_kit")).error_code is None
    assert (await save(store, other, "other user")).error_code is None


async def test_a_grant_that_was_claimed_after_the_disconnect_connects_again(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await store.mark_disconnected(id, now=NOON)
    again = await connect(store, user, now=NOON + timedelta(microseconds=1000))
    assert again == id
    assert (await stored_connection(store, id)).status == "active"


async def test_a_disconnect_drops_the_pending_grants_of_the_user_in_that_family(
    database: DatabaseUnderTest,
) -> None:
    store, user, other = await database.open_store(), new_user_id(), new_user_id()
    id = await connect(store, user)
    await store_pending_grant(store, user, "dropped")
    await store_pending_grant(store, user, "other family", family="login_kit")
    await store_pending_grant(store, other, "other user")
    await store.mark_disconnected(id, now=LATER)
    grants = {row["code_hash"]: row["encrypted_grant"] for row in database.rows("codes")}
    assert grants["dropped"] is None
    assert (grants["other family"], grants["other user"]) == ("grant", "grant")
    assert database.reply("dropped") == SUPERSEDED


async def test_a_superseded_grant_is_not_restored_from_a_journal(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await store_pending_grant(store, user, "dropped")
    await store.mark_disconnected(id, now=LATER)
    restored = await store.restore_pending_grant(
        "dropped",
        state_hash="state of dropped",
        user_id=user,
        family="marketing",
        claimed_by="restarted",
        claimed_at=NOON,
        encrypted_grant=Ciphertext("grant"),
        now=LATER,
        lease=MINUTE,
    )
    assert not restored
    assert database.reply("dropped") == SUPERSEDED


async def test_a_grant_of_an_unknown_code_keeps_the_time_of_its_claim(store: Store) -> None:
    user = new_user_id()
    await store.restore_pending_grant(
        "lost",
        state_hash="state",
        user_id=user,
        family="marketing",
        claimed_by="restarted",
        claimed_at=NOON,
        encrypted_grant=Ciphertext("grant"),
        now=LATER,
        lease=MINUTE,
    )
    claim = await claim_code(store, "lost", user, now=LATER + MINUTE)
    assert isinstance(claim, ClaimedCode)
    assert claim.claimed_at == NOON


async def test_saving_the_same_grant_twice_is_no_error(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    first = await save(store, user, "code")
    second = await save(store, user, "code")
    assert (first.error_code, second.error_code) == (None, None)
    assert first.connection_id == second.connection_id


async def test_of_ten_grants_that_are_saved_concurrently_the_newest_wins(
    database: DatabaseUnderTest,
) -> None:
    user, stores = new_user_id(), [await database.open_store() for _ in range(2)]
    for n in range(10):
        await claim_code(stores[0], f"code {n}", user, now=NOON + n * MINUTE)
    results = await asyncio.gather(
        *(
            save(
                stores[n % 2],
                user,
                f"code {n}",
                claimed_at=NOON + n * MINUTE,
                encrypted_tokens=f"tokens {n}",
            )
            for n in range(10)
        )
    )
    connection_id = results[9].connection_id
    assert connection_id is not None
    assert (await stored_tokens(stores[0], connection_id)).encrypted_tokens == "tokens 9"


# A state is used up by the first code that becomes a connection.


async def test_a_state_is_used_by_the_first_connection_for_every_other_code(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "first", user, state_hash="state")
    before = await claim_code(store, "second", user, state_hash="state")
    await save(store, user, "first", state_hash="state")
    after = await claim_code(store, "third", user, state_hash="state")
    assert isinstance(before, ClaimedCode)
    assert isinstance(after, ClaimedCode)
    assert (before.state_used, after.state_used) == (False, True)


async def test_a_second_code_of_a_state_never_becomes_a_connection(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    for code_hash in ("first", "second"):
        await claim_code(store, code_hash, user, state_hash="state")
    await save(store, user, "first", state_hash="state")
    second = await save(store, user, "second", state_hash="state", tiktok_user_id="stranger")
    assert second.error_code == "invalid_state"
    assert len(database.rows("connections")) == 1
    assert database.reply("second") == {"code": "invalid_state"}


@pytest.mark.parametrize("reply", [{"code": "no_advertisers"}, {"code": "code_spent"}, None])
async def test_a_code_that_did_not_become_a_connection_does_not_use_up_its_state(
    store: Store, reply: dict[str, str] | None
) -> None:
    user = new_user_id()
    await claim_code(store, "first", user, state_hash="state")
    await store.record_code_result(
        "first", claimed_by=OWNER, encrypted_grant=None, reply=reply, attempt=None, now=NOON
    )
    claim = await claim_code(store, "second", user, state_hash="state")
    assert isinstance(claim, ClaimedCode)
    assert not claim.state_used


# Tokens of a TikTok user who is also connected elsewhere


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"family": "accounts"}, False),
        ({"tiktok_user_id": "another"}, False),
    ],
)
async def test_a_disconnected_connection_knows_if_its_tiktok_user_is_connected_elsewhere(
    store: Store, fields: dict[str, Any], expected: bool
) -> None:
    id = await connect(store)
    await connect(store, **fields)
    stored = await store.mark_disconnected(id, now=NOON)
    assert stored is not None
    assert stored.tiktok_user_is_connected is expected


async def test_the_last_connection_of_a_tiktok_user_is_not_connected_elsewhere(
    store: Store,
) -> None:
    first, second = await connect(store), await connect(store)
    for id in (first, second):
        stored = await store.mark_disconnected(id, now=NOON)
    assert stored is not None
    assert not stored.tiktok_user_is_connected
    assert not (await stored_tokens(store, first)).tiktok_user_is_connected
