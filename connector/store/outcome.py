"""Defines the row change that one token operation produced."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from connector.model import (
    Account,
    Attempt,
    Ciphertext,
    ConnectionStatus,
    Failure,
    FrozenModel,
    StoredTokens,
    Tokens,
    UtcDatetime,
)

from .records import JsonObject


class Outcome(FrozenModel):
    """The result of a token operation.

    The store applies an outcome only if the row's token version is still `token_version`. An outcome
    without new tokens is applied only if `lease_owner` also still has the lease. Otherwise the outcome is
    superseded: the attempt is stored, and nothing else changes.
    """

    connection_id: str
    token_version: int
    lease_owner: str
    status: ConnectionStatus
    encrypted_tokens: Ciphertext | None = None
    """None leaves the row's tokens and their expiry unchanged."""

    expires_at: UtcDatetime | None = None
    refresh_expires_at: UtcDatetime | None = None
    verified_at: UtcDatetime | None = None
    last_failure: Failure | None = None
    due_at: UtcDatetime | None = None
    accounts: tuple[Account, ...] | None = None
    account_token: str | None = None
    """For the row in `user_accounts`, if the lost advertiser is among the accounts again."""

    delete_tokens: bool = False
    event: str | None = None
    attempt: Attempt

    @classmethod
    def refreshed(
        cls,
        stored: StoredTokens,
        attempt: Attempt,
        *,
        lease_owner: str,
        tokens: Tokens,
        encrypted_tokens: Ciphertext,
        verified_at: datetime,
        due_at: datetime,
    ) -> Outcome:
        return cls(
            connection_id=stored.connection_id,
            token_version=stored.token_version,
            lease_owner=lease_owner,
            status="active",
            encrypted_tokens=encrypted_tokens,
            expires_at=tokens.expires_at,
            refresh_expires_at=tokens.refresh_expires_at,
            verified_at=verified_at,
            due_at=due_at,
            event="recovered" if stored.status == "refresh_failing" else None,
            attempt=attempt,
        )

    @classmethod
    def verified(
        cls,
        stored: StoredTokens,
        attempt: Attempt,
        *,
        lease_owner: str,
        verified_at: datetime,
        due_at: datetime,
        accounts: tuple[Account, ...],
        account_token: str | None,
    ) -> Outcome:
        """A probe found that TikTok still accepts the tokens."""
        return cls(
            connection_id=stored.connection_id,
            token_version=stored.token_version,
            lease_owner=lease_owner,
            status="active",
            verified_at=verified_at,
            due_at=due_at,
            accounts=accounts,
            account_token=account_token,
            event="recovered" if stored.status == "refresh_failing" else None,
            attempt=attempt,
        )

    @classmethod
    def failed(
        cls,
        stored: StoredTokens,
        attempt: Attempt,
        *,
        lease_owner: str,
        status: ConnectionStatus,
        failure: Failure,
    ) -> Outcome:
        """A transient error: the operation is repeated at `failure.retry_at`."""
        return cls(
            connection_id=stored.connection_id,
            token_version=stored.token_version,
            lease_owner=lease_owner,
            status=status,
            last_failure=failure,
            due_at=failure.retry_at,
            event="failing" if (stored.status, status) == ("active", "refresh_failing") else None,
            attempt=attempt,
        )

    @classmethod
    def reconnect_required(
        cls, stored: StoredTokens, attempt: Attempt, *, lease_owner: str, failure: Failure
    ) -> Outcome:
        """TikTok has ended the connection, so nothing is due any more."""
        return cls(
            connection_id=stored.connection_id,
            token_version=stored.token_version,
            lease_owner=lease_owner,
            status="reconnect_required",
            last_failure=failure.model_copy(update={"retry_at": None}),
            event="reconnect_required",
            attempt=attempt,
        )

    @classmethod
    def tokens_deleted(cls, stored: StoredTokens, attempt: Attempt, *, lease_owner: str) -> Outcome:
        """The tokens of a disconnected connection were revoked, or were not revoked in seven days."""
        return cls(
            connection_id=stored.connection_id,
            token_version=stored.token_version,
            lease_owner=lease_owner,
            status="revoked",
            delete_tokens=True,
            attempt=attempt,
        )

    def apply_to(self, stored: StoredTokens) -> StoredTokens:
        """Returns the row after the store has applied this outcome. No outcome ends a revocation."""
        changes: JsonObject = {
            "status": "revoked" if stored.status == "revoked" else self.status,
            "last_failure": self.last_failure,
        }
        if self.encrypted_tokens is not None:
            changes |= {
                "encrypted_tokens": self.encrypted_tokens,
                "expires_at": self.expires_at,
                "refresh_expires_at": self.refresh_expires_at,
                "token_version": stored.token_version + 1,
            }
        if self.delete_tokens:
            changes["encrypted_tokens"] = None
        return stored.model_copy(update=changes)

    @cached_property
    def as_json(self) -> JsonObject:
        """Cached, because the journal and the store both need it."""
        return self.model_dump(mode="json")
