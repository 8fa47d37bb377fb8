"""Test data for the store, and calls of its operations with default arguments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from connector.model import Account, Attempt, Ciphertext, Connection, Failure, StoredTokens, UserId
from connector.store import (
    AuditEntry,
    ClaimedCode,
    CodeClaim,
    ConnectionUpsert,
    Outcome,
    Store,
)
from tests.manual_clock import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHOP = Account(id="7533163835474346001", name="Müller & Söhne 🚲")
BAR = Account(id="7533163835474346002", name="Bar")
OWNER, OTHER_OWNER = "owner-1", "owner-2"


def new_user_id() -> UserId:
    return UserId(str(uuid4()))


def attempt(result: str = "ok", **fields: Any) -> Attempt:
    defaults = {"at": NOON, "operation": "exchange", "actor": "user", "result": result}
    return Attempt(**defaults | fields)


def audit_entry(**fields: Any) -> AuditEntry:
    defaults = {"at": NOON, "id": str(uuid4()), "actor": "billing", "action": "read_token"}
    return AuditEntry(**defaults | fields)


def failure(code: str = "40100") -> Failure:
    return Failure(code=code, message="TikTok is busy.", since=NOON)


async def claim_code(
    store: Store,
    code_hash: str,
    user_id: UserId,
    *,
    family: str = "marketing",
    state_hash: str | None = None,
    claimed_by: str = OWNER,
    now: datetime | None = NOON,
) -> CodeClaim:
    return await store.claim_code(
        code_hash,
        state_hash=state_hash or f"state of {code_hash}",
        user_id=user_id,
        family=family,
        claimed_by=claimed_by,
        now=now,
        lease=MINUTE,
    )


def connection_upsert(
    user_id: UserId,
    code_hash: str,
    *,
    state_hash: str | None = None,
    claimed_at: datetime = NOON,
    family: str = "marketing",
    tiktok_user_id: str = "tiktok-user",
    scopes: Sequence[str] = ("user.info.basic",),
    accounts: Sequence[Account] | None = None,
    selected_advertiser: Account | None = None,
    encrypted_tokens: str = "first",
    expires_at: datetime | None = None,
    due_at: datetime | None = NOON,
    account_token: str | None = None,
) -> ConnectionUpsert:
    """Without `accounts`, the grant is for the selected advertiser."""
    return ConnectionUpsert(
        code_hash=code_hash,
        state_hash=state_hash or f"state of {code_hash}",
        claimed_at=claimed_at,
        id=str(uuid4()),
        user_id=user_id,
        family=family,
        tiktok_user_id=tiktok_user_id,
        scopes=tuple(scopes),
        accounts=tuple(accounts or [selected_advertiser or SHOP]),
        selected_advertiser=selected_advertiser,
        encrypted_tokens=Ciphertext(encrypted_tokens),
        expires_at=expires_at,
        refresh_expires_at=expires_at and expires_at + HOUR,
        due_at=due_at,
        account_token=account_token,
        attempt=attempt(),
    )


async def connect(
    store: Store,
    user_id: UserId | None = None,
    *,
    code_hash: str | None = None,
    now: datetime | None = NOON,
    **fields: Any,
) -> str:
    """Claims a new code and makes a connection of it; returns the connection's id."""
    upsert = connection_upsert(user_id or new_user_id(), code_hash or uuid4().hex, **fields)
    if now is not None:
        upsert = upsert.model_copy(update={"attempt": attempt(at=now)})
    claim = await claim_code(store, upsert.code_hash, upsert.user_id, family=upsert.family, now=now)
    assert isinstance(claim, ClaimedCode)
    upsert = upsert.model_copy(update={"claimed_at": claim.claimed_at})
    saved = await store.upsert_connection(upsert, now=now)
    assert saved.error_code is None
    return str(saved.connection_id)


async def select(
    store: Store,
    connection_id: str,
    advertiser: Account,
    *,
    token_version: int = 1,
    account_token: str | None = None,
    now: datetime | None = NOON,
) -> Account | None:
    return await store.select_advertiser(
        connection_id,
        advertiser_id=advertiser.id,
        token_version=token_version,
        account_token=account_token,
        now=now,
    )


async def stored_tokens(store: Store, connection_id: str) -> StoredTokens:
    stored = await store.get_stored_tokens(connection_id)
    assert stored is not None
    return stored


async def stored_connection(store: Store, connection_id: str) -> Connection:
    connection = await store.get_connection(connection_id)
    assert connection is not None
    return connection


async def acquire_lease(
    store: Store,
    connection_id: str,
    *,
    token_version: int = 1,
    owner: str = OWNER,
    now: datetime | None = NOON,
) -> StoredTokens | None:
    return await store.acquire_refresh_lease(
        connection_id, token_version=token_version, owner=owner, now=now, lease=MINUTE
    )


async def lease_due(
    store: Store, *, max_rows: int = 100, owner: str = OWNER, now: datetime | None = NOON
) -> list[StoredTokens]:
    return await store.lease_due_connections(
        owner=owner, max_rows=max_rows, now=now, lease=MINUTE, max_lease=10 * MINUTE
    )


def outcome(connection_id: str, **fields: Any) -> Outcome:
    defaults = {"token_version": 1, "lease_owner": OWNER, "status": "active", "attempt": attempt()}
    return Outcome(connection_id=connection_id, **defaults | fields)


async def apply(store: Store, *outcomes: Outcome, now: datetime | None = NOON) -> set[str]:
    return await store.apply_outcomes(outcomes, now=now)


async def apply_status(store: Store, connection_id: str, status: str, **fields: Any) -> None:
    """Acquires the lease of a connection and applies an outcome."""
    version = (await stored_tokens(store, connection_id)).token_version
    await acquire_lease(store, connection_id, token_version=version)
    await apply(store, outcome(connection_id, status=status, token_version=version, **fields))
