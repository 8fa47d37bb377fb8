"""Defines the data classes that several packages share. All are frozen.

A `Connection` never contains a token, so a response with a connection cannot leak a token. Times are aware
and in UTC. Ids are strings and are never changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal, NewType, get_args

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr

from .errors import InvalidRequest

UserId = NewType("UserId", str)
"""The id of a customer's user: opaque text. Only `parse_user_id` reads a user id from a request."""

Ciphertext = NewType("Ciphertext", str)
"""Encrypted text, which may be stored."""

ConnectionStatus = Literal["active", "refresh_failing", "reconnect_required", "revoked"]
"""`refresh_failing`: refreshes are retried, and the old token is used while it is valid.
`reconnect_required`: TikTok has ended the grant. `revoked`: the user has disconnected; TikTok may not have
confirmed the revocation yet."""

Operation = Literal["exchange", "refresh", "read", "probe", "revoke"]

KeyScope = Literal["read", "write", "tokens", "metrics"]
"""What an API key may do. `read`: every GET but tokens and metrics, and the session. `write`: every other
request that changes something, and `GET /oauth/start`."""

ALL_KEY_SCOPES: frozenset[KeyScope] = frozenset(get_args(KeyScope))

UUID_PATTERN = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
USER_ID_PATTERN = re.compile("[ -~]{1,128}")
DISPLAY_NAME_PATTERN = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")


def parse_user_id(text: object, *, field: str = "user_id") -> UserId:
    """Keeps the text byte for byte, except that a UUID is written in lower case."""
    if not isinstance(text, str) or not USER_ID_PATTERN.fullmatch(text):
        raise InvalidRequest(f"{field} must be a text of 1 to 128 printable ASCII characters.")
    lowered = text.lower()
    return UserId(lowered if UUID_PATTERN.fullmatch(lowered) else text)


def parse_display_name(text: object, *, field: str = "display_name") -> str:
    name = text.strip() if isinstance(text, str) else ""
    if not DISPLAY_NAME_PATTERN.fullmatch(name):
        raise InvalidRequest(
            f"{field} must be a text of 1 to 100 characters without control characters."
        )
    return name


def format_utc(time: datetime) -> str:
    """Returns ISO 8601 text of fixed width, which sorts like the time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


UtcDatetime = Annotated[datetime, PlainSerializer(format_utc, return_type=str, when_used="json")]


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Account(FrozenModel):
    id: str
    name: str = ""
    kind: Literal["advertiser", "business", "profile"] = "advertiser"


@dataclass(frozen=True)
class Tokens:
    access: SecretStr
    refresh: SecretStr | None = None
    expires_at: datetime | None = None
    """None means valid until revoked."""

    refresh_expires_at: datetime | None = None
    issued_at: datetime | None = None
    """Refreshes are scheduled by the lifetime from `issued_at` to `expires_at`."""


@dataclass(frozen=True)
class Grant:
    """The result of redeeming an authorization code."""

    tokens: Tokens
    tiktok_user_id: str | None = None
    """None if the response does not name the user."""

    scopes: tuple[str, ...] = ()


class Failure(FrozenModel):
    """The last error of a connection whose token operations fail; `since` is the time of the first error."""

    code: str
    message: str
    since: UtcDatetime
    count: int = 1
    retry_at: UtcDatetime | None = None
    reason: int | None = None
    """TikTok's number for the reason why it removed the authorization, if a webhook said so."""


class Connection(FrozenModel):
    """One user's authorised TikTok account in one family."""

    id: str
    user_id: UserId
    family: str
    tiktok_user_id: str
    status: ConnectionStatus
    scopes: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    selected_advertiser: Account | None = None
    advertiser_lost: bool = False
    expires_at: UtcDatetime | None = None
    refresh_expires_at: UtcDatetime | None = None
    verified_at: UtcDatetime | None = None
    due_at: UtcDatetime | None = None
    last_failure: Failure | None = None
    connected_at: UtcDatetime
    created_at: UtcDatetime
    updated_at: UtcDatetime
    token_version: int

    @property
    def is_active(self) -> bool:
        return is_active(self.status)


class StoredTokens(FrozenModel):
    """The encrypted tokens of a connection, and the version that the next write must name."""

    connection_id: str
    user_id: UserId
    family: str
    tiktok_user_id: str
    status: ConnectionStatus
    scopes: tuple[str, ...]
    encrypted_tokens: Ciphertext | None
    expires_at: UtcDatetime | None
    refresh_expires_at: UtcDatetime | None
    last_failure: Failure | None
    token_version: int
    tiktok_user_is_connected: bool = False
    """True for a disconnected connection if another active connection has the same TikTok user."""


def is_active(status: ConnectionStatus) -> bool:
    """Returns True if the tokens are used and refreshed."""
    return status in ("active", "refresh_failing")


class Attempt(FrozenModel):
    """One operation at TikTok, with its actor, result and duration."""

    at: UtcDatetime
    operation: Operation
    actor: str
    result: str
    """`ok`, or the `code` of the error."""

    tiktok_code: str | None = None
    message: str = ""
    request_id: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True)
class OAuthState:
    """The verified content of the `state` parameter."""

    user_id: UserId
    issued_at: datetime
    family: str
    redirect_uri: str
    return_to: str | None = None
    is_signed: bool = True
    browser_hash: str | None = None
    """The hash of the cookie that the exchange must contain; None if the state is not bound to a browser."""

    nonce: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Principal:
    """An authenticated caller. A server may act for any user; a user only for themselves."""

    kind: Literal["server", "user"]
    actor: str
    """The name that attempts and the log show."""

    user_id: UserId | None = None
    selection_for: str | None = None
    """Set for a selection ticket, which only selects the advertiser of this connection."""

    expires_at: datetime | None = field(default=None, compare=False)
    scopes: frozenset[KeyScope] = frozenset()
    """What a server may do. A user needs no scope."""

    api_key: str | None = field(default=None, compare=False)
    """The name of the API key that was sent, or that issued the ticket or session."""

    display_name: str | None = None
    """What the customer's server calls the user, if a ticket or session contains it. Only shown to people."""
