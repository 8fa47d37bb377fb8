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
"""The stored result of an exchange, returned again when the same code and state are posted again."""


class ExistingConnection(FrozenModel):
    """A connection that the user already has in the same family."""

    id: str
    tiktok_user_id: str
    selected_advertiser: Account | None = None


class ClaimedCode(FrozenModel):
    """This process may redeem the code until its claim expires."""

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


class CodeClaimRow(ClaimedCode):
    acquired: bool
    reply: StoredReply | None = None

    @property
    def claim(self) -> CodeClaim:
        if self.acquired:
            return ClaimedCode(
                encrypted_grant=self.encrypted_grant,
                existing_connections=self.existing_connections,
                legacy_advertiser_id=self.legacy_advertiser_id,
            )
        return CodeBusy() if self.reply is None else AnsweredCode(reply=self.reply)


class ConnectionUpsert(FrozenModel, extra="forbid"):
    """A new connection. `id` is used only for a new row. An existing row keeps its id."""

    code_hash: str
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
    write_user_account: bool
    account_token: str | None
    reply: StoredReply
    attempt: Attempt


class SavedConnection(FrozenModel):
    """The stored reply. Its `connection_id` may name a connection that existed before."""

    code_hash: str
    reply: StoredReply


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
