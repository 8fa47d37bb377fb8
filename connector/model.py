"""The nouns of the house. All frozen; no behaviour beyond what a noun knows about itself.

A `Connection` never holds a token: what is shown and what is secret do not travel together. Times
are aware and in UTC. Ids are strings, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal, NewType

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr

from .errors import InvalidRequest

UserId = NewType("UserId", str)
"""A customer's user, in canonical lower case: only `as_user_id` makes one from what the wire says."""

Sealed = NewType("Sealed", str)
"""Tokens under a key, fit to be written down."""

Status = Literal["active", "refresh_failing", "reconnect_required", "revoked"]
What = Literal["exchange", "refresh", "read", "probe", "revoke"]

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def as_user_id(text: object, *, field: str = "user_id") -> UserId:
    lowered = text.lower() if isinstance(text, str) else ""
    if not UUID.fullmatch(lowered):
        raise InvalidRequest(
            f"{field} must be a UUID, for example 6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60."
        )
    return UserId(lowered)


def stamp(moment: datetime) -> str:
    """A time as text of one width, so that as text, too, earlier comes before later."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


Time = Annotated[datetime, PlainSerializer(stamp, return_type=str, when_used="json")]


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Account(Row):
    id: str
    name: str = ""
    kind: Literal["advertiser", "business", "profile"] = "advertiser"


@dataclass(frozen=True)
class Tokens:
    """`expires_at` None means until revoked, never "broken". `issued_at` gives the lifetime."""

    access: SecretStr
    refresh: SecretStr | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    issued_at: datetime | None = None


@dataclass(frozen=True)
class Grant:
    """What one consent gave. `subject` is the TikTok user, None where the answer does not say."""

    tokens: Tokens
    subject: str | None = None
    scopes: tuple[str, ...] = ()


class Failure(Row):
    """Why a connection is not well: the last word of TikTok or the wire, and since when."""

    code: str
    message: str
    since: Time
    times: int = 1
    again_at: Time | None = None


class Connection(Row):
    id: str
    user_id: UserId
    family: str
    subject: str
    status: Status
    scopes: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    chosen: Account | None = None
    advertiser_lost: bool = False
    expires_at: Time | None = None
    refresh_expires_at: Time | None = None
    verified_at: Time | None = None
    due_at: Time | None = None
    failure: Failure | None = None
    connected_at: Time
    created_at: Time
    updated_at: Time
    version: int


class Kept(Row):
    """What the keeper works on: sealed tokens, and the version that fences the next write."""

    id: str
    user_id: UserId
    family: str
    subject: str
    status: Status
    scopes: tuple[str, ...]
    sealed: Sealed | None
    expires_at: Time | None
    refresh_expires_at: Time | None
    failure: Failure | None
    version: int

    @property
    def bond(self) -> str:
        return bond(self.user_id, self.family, self.subject)


def bond(user_id: UserId, family: str, subject: str) -> str:
    """What ties sealed tokens to their row: its natural key, which never changes."""
    return f"{user_id}/{family}/{subject}"


class Attempt(Row):
    """One line of the log: what was tried with TikTok, for whom, and how it ended."""

    at: Time
    what: What
    who: str
    verdict: str
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    took_ms: int = 0


@dataclass(frozen=True)
class Intent:
    """What the state carries: who wants to connect what, and where they go afterwards."""

    user_id: UserId
    issued_at: datetime
    family: str
    redirect_uri: str
    return_to: str | None = None
    signed: bool = True
    nonce: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Principal:
    """Who is asking. A server may name any user; a user is only themself.

    With a `connection_id` they are no more than its picker: they may choose its advertiser.
    """

    kind: Literal["server", "user"]
    name: str
    user_id: UserId | None = None
    connection_id: str | None = None
    expires_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Notice:
    """What a webhook tells, once its signature and age were found good."""

    event: str
    at: datetime
    client: str
    subject: str | None
    content: dict[str, object]
