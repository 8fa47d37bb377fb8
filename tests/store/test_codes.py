"""Claims of authorization codes, their results, and pending grants."""

from __future__ import annotations

import asyncio

from connector.model import Attempt, Ciphertext, UserId
from connector.store import (
    AnsweredCode,
    ClaimedCode,
    CodeBusy,
    ExistingConnection,
    Store,
    StoredReply,
)
from tests.manual_clock import NOON

from .builders import (
    BAR,
    MINUTE,
    OTHER_OWNER,
    OWNER,
    SHOP,
    attempt,
    claim_code,
    connect,
    new_user_id,
)
from .conftest import DatabaseUnderTest


async def record_result(
    store: Store,
    code_hash: str,
    *,
    claimed_by: str = OWNER,
    encrypted_grant: str | None = None,
    reply: StoredReply | None = None,
    attempt: Attempt | None = None,
) -> None:
    await store.record_code_result(
        code_hash,
        claimed_by=claimed_by,
        encrypted_grant=Ciphertext(encrypted_grant) if encrypted_grant else None,
        reply=reply,
        attempt=attempt,
        now=NOON,
    )


async def restore_grant(store: Store, code_hash: str, user_id: UserId) -> bool:
    return await store.restore_pending_grant(
        code_hash,
        state_hash=f"state of {code_hash}",
        user_id=user_id,
        family="marketing",
        claimed_by="restarted-process",
        claimed_at=NOON,
        encrypted_grant=Ciphertext("from the journal"),
        now=NOON,
        lease=MINUTE,
    )


async def test_a_code_is_claimed_by_the_first_caller_and_busy_for_the_second(store: Store) -> None:
    user = new_user_id()
    assert await claim_code(store, "code", user) == ClaimedCode(claimed_at=NOON)
    assert await claim_code(store, "code", user, claimed_by=OTHER_OWNER) == CodeBusy()


async def test_a_claimed_code_is_busy_for_its_own_owner_too(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    assert await claim_code(store, "code", user, now=NOON + MINUTE / 60) == CodeBusy()


async def test_one_of_25_concurrent_claims_of_a_code_succeeds(database: DatabaseUnderTest) -> None:
    user, stores = new_user_id(), [await database.open_store() for _ in range(2)]
    claims = await asyncio.gather(
        *(claim_code(stores[n % 2], "code", user, claimed_by=str(n)) for n in range(25))
    )
    assert sum(isinstance(claim, ClaimedCode) for claim in claims) == 1


async def test_another_owner_can_claim_a_code_when_the_claim_has_expired(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    before, after = NOON + MINUTE * 0.99, NOON + MINUTE
    assert await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=before) == CodeBusy()
    claim = await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=after)
    assert isinstance(claim, ClaimedCode)


async def test_the_owner_of_the_latest_claim_records_the_result(
    database: DatabaseUnderTest, store: Store
) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=NOON + MINUTE)
    await record_result(store, "code", claimed_by=OWNER, reply={"from": OWNER})
    await record_result(store, "code", claimed_by=OTHER_OWNER, reply={"from": OTHER_OWNER})
    assert database.reply("code") == {"from": OTHER_OWNER}


async def test_a_claim_of_a_completed_code_returns_the_stored_reply(
    database: DatabaseUnderTest, store: Store
) -> None:
    user, reply = new_user_id(), {"success": False, "error": {"code": "code_spent"}}
    await claim_code(store, "code", user)
    await record_result(store, "code", reply=reply)
    later = await claim_code(store, "code", user, now=NOON + MINUTE * 9)
    assert later == AnsweredCode(reply=reply)
    assert database.reply("code") == reply


async def test_a_claimed_code_has_no_reply(database: DatabaseUnderTest, store: Store) -> None:
    await claim_code(store, "code", new_user_id())
    assert database.reply("code") is None


async def test_a_result_from_an_owner_without_the_claim_is_ignored(
    database: DatabaseUnderTest, store: Store
) -> None:
    await claim_code(store, "code", new_user_id())
    await record_result(store, "code", claimed_by=OTHER_OWNER, reply={"success": False})
    assert database.reply("code") is None


async def test_the_first_reply_of_a_code_is_final(
    database: DatabaseUnderTest, store: Store
) -> None:
    await claim_code(store, "code", new_user_id())
    await record_result(store, "code", reply={"error": "first"})
    await record_result(store, "code", reply={"error": "second"})
    assert database.reply("code") == {"error": "first"}


async def test_a_result_without_a_reply_ends_the_claim_and_stores_the_pending_grant(
    store: Store,
) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    await record_result(store, "code", encrypted_grant="grant")
    second = await claim_code(store, "code", user, claimed_by=OTHER_OWNER)
    assert second == ClaimedCode(claimed_at=NOON, encrypted_grant=Ciphertext("grant"))
    assert await claim_code(store, "code", user, claimed_by="owner-3") == CodeBusy()


async def test_recording_a_code_result_logs_the_attempt(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    await claim_code(store, "code", new_user_id())
    await record_result(store, "code", attempt=attempt("code_spent", tiktok_code="40110"))
    [row] = database.rows("attempts")
    assert (row["result"], row["tiktok_code"], row["operation"]) == (
        "code_spent",
        "40110",
        "exchange",
    )


async def test_a_claimed_code_returns_the_users_connections_in_that_family(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, tiktok_user_id="same")
    await connect(store, user, family="accounts")
    await connect(store, new_user_id())
    existing = ExistingConnection(id=id, tiktok_user_id="same", selected_advertiser=SHOP)
    assert await claim_code(store, "code", user) == ClaimedCode(
        claimed_at=NOON, existing_connections=(existing,), legacy_advertiser_id=SHOP.id
    )


async def test_a_claim_of_a_busy_code_returns_no_data_of_the_user(
    database: DatabaseUnderTest, store: Store
) -> None:
    user = new_user_id()
    await connect(store, user, selected_advertiser=SHOP)
    await claim_code(store, "code", user)
    connection = await database.connect()
    claim = {
        "code_hash": "code",
        "state_hash": "state",
        "user_id": user,
        "family": "marketing",
        "claimed_by": "x",
    }
    [row] = await connection.call("claim_codes", claims=[claim], now=NOON, lease_seconds=60.0)
    assert not row["acquired"]
    assert row["existing_connections"] == []
    assert row["legacy_advertiser_id"] is None


async def test_a_restored_grant_claims_a_code_that_is_not_in_the_store(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user, selected_advertiser=BAR)
    await connect(store, user, family="accounts")
    assert await restore_grant(store, "unknown code", user)
    assert await claim_code(store, "unknown code", user) == CodeBusy()
    claim = await claim_code(store, "unknown code", user, now=NOON + MINUTE)
    assert isinstance(claim, ClaimedCode)
    assert claim.encrypted_grant == "from the journal"
    assert [existing.id for existing in claim.existing_connections] == [id]
    assert claim.legacy_advertiser_id == BAR.id


async def test_a_restored_grant_replaces_the_reply_of_a_failed_exchange(
    database: DatabaseUnderTest, store: Store
) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    await record_result(store, "code", reply={"code": "code_spent"})
    assert await restore_grant(store, "code", user)
    assert database.reply("code") is None


async def test_a_restored_grant_takes_over_the_claim_of_another_owner(
    database: DatabaseUnderTest, store: Store
) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    assert await restore_grant(store, "code", user)
    await record_result(store, "code", reply={"success": False})
    assert database.reply("code") is None


async def test_the_claim_of_a_restored_grant_expires_and_the_grant_stays(store: Store) -> None:
    user = new_user_id()
    await claim_code(store, "code", user, now=NOON - MINUTE * 9)
    await restore_grant(store, "code", user)
    assert await claim_code(store, "code", user, claimed_by=OTHER_OWNER) == CodeBusy()
    later = await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=NOON + MINUTE)
    assert later == ClaimedCode(
        claimed_at=NOON - MINUTE * 9, encrypted_grant=Ciphertext("from the journal")
    )


async def test_a_grant_is_not_restored_when_its_code_has_become_a_connection(
    database: DatabaseUnderTest, store: Store
) -> None:
    user = new_user_id()
    await claim_code(store, "code", user)
    reply = {"success": True, "connection_id": "exists"}
    await record_result(store, "code", reply=reply)
    assert not await restore_grant(store, "code", user)
    assert database.reply("code") == reply
