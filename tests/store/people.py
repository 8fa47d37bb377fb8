"""Somebody to remember: what the store tests connect, with values that show where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from connector.model import Account, Attempt, Failure, Kept, Sealed, UserId
from connector.store import Connected, Outcome, Store
from tests.clocks import NOON

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHOP = Account(id="7533163835474346001", name="Müller & Söhne 🚲")
BAR = Account(id="7533163835474346002", name="Bar")


def person() -> UserId:
    return UserId(str(uuid4()))


def attempt(verdict: str = "ok", **known: Any) -> Attempt:
    return Attempt(**{"at": NOON, "what": "exchange", "who": "user", "verdict": verdict, **known})


def failure(code: str = "40100") -> Failure:
    return Failure(code=code, message="TikTok is busy.", since=NOON)


async def claim(
    store: Store,
    key: str,
    user_id: UserId,
    *,
    family: str = "marketing",
    holder: str = "one",
    now: datetime = NOON,
) -> Any:
    return await store.claim_code(
        key, user_id=user_id, family=family, holder=holder, now=now, until=now + MINUTE
    )


def connected(
    user_id: UserId,
    key: str,
    *,
    family: str = "marketing",
    subject: str = "subject",
    scopes: Sequence[str] = ("user.info.basic",),
    accounts: Sequence[Account] = (SHOP,),
    chosen: Account | None = None,
    sealed: str = "first",
    expires_at: datetime | None = None,
    due_at: datetime | None = NOON,
    account_token: str | None = None,
    now: datetime = NOON,
) -> Connected:
    return Connected(
        key=key,
        id=str(uuid4()),
        user_id=user_id,
        family=family,
        subject=subject,
        scopes=tuple(scopes),
        accounts=tuple(accounts),
        chosen=chosen,
        sealed=Sealed(sealed),
        expires_at=expires_at,
        refresh_expires_at=expires_at and expires_at + HOUR,
        due_at=due_at,
        account_token=account_token,
        answer={"success": True},
        attempt=attempt(at=now),
        at=now,
    )


async def connect(
    store: Store, user_id: UserId | None = None, *, key: str | None = None, **known: Any
) -> str:
    """From a fresh code to a connection, whose id is answered."""
    given = connected(user_id or person(), key or uuid4().hex, **known)
    await claim(store, given.key, given.user_id, family=given.family, now=given.at)
    return str((await store.save_connection(given))["connection_id"])


async def read(store: Store, id: str) -> Kept:
    kept = await store.read_token(id)
    assert kept is not None
    return kept


async def hold(
    store: Store, id: str, *, version: int = 1, holder: str = "one", now: datetime = NOON
) -> Kept | None:
    return await store.claim_refresh(
        id, version=version, holder=holder, now=now, until=now + MINUTE
    )


def outcome(id: str, **known: Any) -> Outcome:
    return Outcome(**{"id": id, "version": 1, "holder": "one", "status": "active", **known})


async def save(store: Store, *outcomes: Outcome, now: datetime = NOON) -> set[str]:
    return await store.save_outcomes(outcomes, now=now)
