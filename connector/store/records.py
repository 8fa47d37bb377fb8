"""Defines the rows and JSON objects that the store's operations take and return."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from connector.model import (
    Account,
    Attempt,
    Ciphertext,
    ConnectionStatus,
    FrozenModel,
    UserId,
    UtcDatetime,
)

JsonObject = dict[str, Any]

StoredReply = JsonObject
"""The result of an exchange, for POSTs of the same code and state: `{"connection_id": …}`, or the code,
message and upstream error of a refusal."""


class ExistingConnection(FrozenModel):
    """A connection that the user already has in the same family."""

    id: str
    tiktok_user_id: str
    selected_advertiser: Account | None = None


class ClaimedCode(FrozenModel):
    """This process may redeem the code until its claim expires."""

    claimed_at: UtcDatetime
    """The time of the first claim, by the clock of the database. It orders the grants of a user."""

    state_used: bool = False
    """True if another code with the same state has become a connection."""

    mismatched_key_type: str | None = None
    """Set if the user id cannot be a key of `user_accounts`: the type of the key, or `unsupported`."""

    encrypted_grant: Ciphertext | None = None
    """Set if the code was redeemed before, but its grant did not become a connection yet."""

    existing_connections: tuple[ExistingConnection, ...] = ()
    legacy_advertiser_id: str | None = None
    """The advertiser in `user_accounts`. The customer's own code may have written this value."""


class AnsweredCode(FrozenModel):
    """The exchange of this code has ended with this reply."""

    reply: StoredReply


class CodeBusy(FrozenModel):
    """Another process has claimed the code and has not recorded a result yet."""


CodeClaim = ClaimedCode | AnsweredCode | CodeBusy


class CodeClaimRow(FrozenModel):
    acquired: bool
    claimed_at: UtcDatetime | None
    state_used: bool
    mismatched_key_type: str | None
    encrypted_grant: Ciphertext | None
    existing_connections: tuple[ExistingConnection, ...]
    legacy_advertiser_id: str | None
    reply: StoredReply | None

    @property
    def claim(self) -> CodeClaim:
        if self.acquired and self.claimed_at is not None:
            return ClaimedCode(
                claimed_at=self.claimed_at,
                state_used=self.state_used,
                mismatched_key_type=self.mismatched_key_type,
                encrypted_grant=self.encrypted_grant,
                existing_connections=self.existing_connections,
                legacy_advertiser_id=self.legacy_advertiser_id,
            )
        return CodeBusy() if self.reply is None else AnsweredCode(reply=self.reply)


class ConnectionUpsert(FrozenModel, extra="forbid"):
    """A new connection. `id` is used only for a new row. An existing row keeps its id.

    `selected_advertiser` is selected only if the user has selected no other advertiser that is granted.
    """

    code_hash: str
    state_hash: str
    claimed_at: UtcDatetime
    id: str
    user_id: UserId
    family: str
    tiktok_user_id: str
    scopes: tuple[str, ...]
    accounts: tuple[Account, ...]
    selected_advertiser: Account | None
    encrypted_tokens: Ciphertext
    expires_at: UtcDatetime | None
    refresh_expires_at: UtcDatetime | None
    due_at: UtcDatetime | None
    account_token: str | None
    """The token for `user_accounts`."""

    attempt: Attempt


class UpsertResult(FrozenModel):
    """The saved connection, which may have existed before, or the code of the error that refused it."""

    code_hash: str
    error_code: str | None = None
    connection_id: str | None = None
    selected_advertiser: Account | None = None
    advertiser_lost: bool | None = None


class AdvertiserRow(FrozenModel):
    advertiser: Account


class KeyColumn(FrozenModel):
    name: str
    type: str


class UserAccountsReport(FrozenModel):
    """The primary key of `user_accounts`, other columns that an insert must fill, and columns of the service
    that cannot contain its values."""

    key_columns: tuple[KeyColumn, ...]
    key_is_usable: bool
    required_columns: tuple[str, ...]
    unsuitable_columns: tuple[str, ...] = ()


class PrivilegeProblem(FrozenModel):
    """A privilege that a role must not have. Without a role: row level security is disabled for the table."""

    role_name: str | None
    privilege: str
    object_name: str


class RowId(FrozenModel):
    id: str


class StoredTokensKey(FrozenModel):
    connection_id: str


class CleanupResult(FrozenModel):
    more_left: bool


class AttemptCount(FrozenModel):
    """The number of attempts with one operation and one result in one hour. Hour 0 is the oldest."""

    hour: int
    operation: str
    result: str
    count: int


class ConnectionCount(FrozenModel):
    family: str
    status: ConnectionStatus
    count: int


class EncryptedRow(FrozenModel):
    """A ciphertext, and the key columns that form its associated data."""

    row_key: str
    ciphertext: str = Field(repr=False)
    user_id: UserId | None = None
    family: str | None = None
    tiktok_user_id: str | None = None


class Replacement(FrozenModel, extra="forbid"):
    """`new` is written only if the row still has `old`."""

    row_key: str
    old: str = Field(repr=False)
    new: str = Field(repr=False)
