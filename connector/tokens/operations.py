"""Runs a token operation at TikTok: refresh, probe or revoke.

Each operation ends in one `Outcome`. Only a definite response ends a connection: `ReconnectRequired`,
`AccessTokenRejected` if no refresh can follow, or `GrantInDoubt` if a second call agrees. Every other error
is transient: the error is recorded, and the operation is repeated later.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Literal

from connector import schedule
from connector.advertisers import UserAccountsToken
from connector.attempts import AttemptTimer
from connector.clock import Clock
from connector.encryption import TokenCipher, stored_tokens_associated_data
from connector.errors import (
    AccessTokenExpired,
    AccessTokenRejected,
    Busy,
    ConfigurationError,
    ConnectorError,
    GrantInDoubt,
    JournalUnwritable,
    ReconnectRequired,
)
from connector.journal import Entry, Journal
from connector.model import Operation, StoredTokens, Tokens
from connector.store import Outcome
from connector.tiktok import ApiFamily, Call
from connector.tiktok_client import TikTokClient

from .failures import failure_message, failure_outcome
from .leases import RefreshLease
from .recovery import REFRESH_ENTRY

log = logging.getLogger(__name__)

GRANT_ENDED_MESSAGE = "TikTok has ended this connection. Connect the TikTok account again."

RefreshOperation = Literal["refresh", "read"]
"""`read` is a refresh that a token read made necessary."""


@dataclass(frozen=True)
class OperationContext:
    """The inputs of one operation. `timer.operation` names the operation."""

    lease: RefreshLease
    timer: AttemptTimer
    family: ApiFamily
    tokens: Tokens
    refresh_call: Call[Tokens] | None


@dataclass(frozen=True)
class OperationSucceeded:
    outcome: Outcome
    tokens: Tokens | None
    """The tokens that are now valid; None after a revocation."""

    entry_id: int | None = None
    """The journal entry with the outcome, if there is one."""


@dataclass(frozen=True)
class OperationFailed:
    outcome: Outcome
    error: ConnectorError


OperationResult = OperationSucceeded | OperationFailed


class TokenOperations:
    def __init__(
        self,
        *,
        families: Mapping[str, ApiFamily],
        tiktok_client: TikTokClient,
        journal: Journal,
        cipher: TokenCipher,
        user_accounts_token: UserAccountsToken,
        clock: Clock,
        probe_every: timedelta,
        random: Random,
    ) -> None:
        self._families = families
        self._tiktok_client = tiktok_client
        self._journal = journal
        self._cipher = cipher
        self._user_accounts_token = user_accounts_token
        self._clock = clock
        self._probe_every = probe_every
        self._random = random

    async def execute(
        self,
        lease: RefreshLease,
        *,
        requested: RefreshOperation,
        actor: str,
        tokens: Tokens | None = None,
    ) -> OperationResult:
        """Runs the requested operation, but revokes the tokens of a disconnected connection and probes
        tokens that cannot be refreshed.

        `tokens` are the decrypted tokens of `lease`, if the caller has them. The only error raised is
        `Busy`: in this case nothing was sent, and nothing must be saved.
        """
        operation: Operation = "revoke" if lease.stored.status == "revoked" else requested
        timer = AttemptTimer.start(operation, actor=actor, clock=self._clock)
        try:
            context = self._prepare(lease, timer, tokens)
        except ConnectorError as error:
            return self._failed(lease, timer, error)
        try:
            return await self._run(context)
        except Busy:
            raise
        except GrantInDoubt as error:
            return await self._resolve_doubt(context, error)
        except AccessTokenRejected as error:
            permanent_error = ReconnectRequired(GRANT_ENDED_MESSAGE, upstream=error.upstream)
            return self._failed(lease, context.timer, permanent_error)
        except ConnectorError as error:
            return self._failed(lease, context.timer, error)

    async def _run(self, context: OperationContext) -> OperationSucceeded:
        if context.timer.operation == "revoke":
            return await self._revoke(context)
        if context.refresh_call is None:
            return await self._probe(context)
        return await self._refresh(context, context.refresh_call)

    async def _resolve_doubt(
        self, context: OperationContext, error: GrantInDoubt
    ) -> OperationResult:
        if not await self._has_ended(context):
            return self._failed(context.lease, context.timer, error)
        if context.timer.operation == "revoke":
            return self._revoked(context)
        permanent_error = ReconnectRequired(GRANT_ENDED_MESSAGE, upstream=error.upstream)
        return self._failed(context.lease, context.timer, permanent_error)

    async def _has_ended(self, context: OperationContext) -> bool:
        """Asks TikTok with a call that names neither an advertiser nor an account."""
        family, tokens = context.family, context.tokens
        call = family.user_id_call(tokens) or family.accounts_call(tokens)
        try:
            await self._tiktok_client.execute(call)
        except AccessTokenExpired:
            # Says nothing about the grant, unless the token should still be valid.
            return schedule.is_unexpired(tokens, self._clock.now())
        except (AccessTokenRejected, GrantInDoubt, ReconnectRequired):
            return True
        except ConnectorError as error:
            log.info(
                "could not check grant connection_id=%s error=%s",
                context.lease.stored.connection_id,
                error.code,
            )
        return False

    def _prepare(
        self, lease: RefreshLease, timer: AttemptTimer, tokens: Tokens | None
    ) -> OperationContext:
        family = self._families.get(lease.stored.family)
        if family is None:
            raise ConfigurationError(f"The TikTok app for {lease.stored.family} is not configured.")
        tokens = tokens or self._decrypt(lease.stored)
        refresh_call = family.refresh_call(tokens)
        if refresh_call is None and timer.operation != "revoke":
            timer = replace(timer, operation="probe")
        return OperationContext(lease, timer, family, tokens, refresh_call)

    def _decrypt(self, stored: StoredTokens) -> Tokens:
        if stored.encrypted_tokens is None:
            raise ReconnectRequired("The token was deleted: connect TikTok again.")
        return self._cipher.decrypt_tokens(
            stored.encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )

    async def _refresh(self, context: OperationContext, call: Call[Tokens]) -> OperationSucceeded:
        lease, stored = context.lease, context.lease.stored
        async with self._journal.reserve():
            if self._clock.ticks() > lease.send_before:
                raise Busy("This refresh was delayed too long; try again shortly.", retry_after=5)
            now = self._clock.now()
            tokens = replace(await self._tiktok_client.execute(call), issued_at=now)
            outcome = Outcome.refreshed(
                stored,
                context.timer.finish(),
                lease_owner=lease.owner,
                tokens=tokens,
                encrypted_tokens=self._cipher.encrypt_tokens(
                    tokens, associated_data=stored_tokens_associated_data(stored)
                ),
                verified_at=now,
                due_at=schedule.next_due(
                    tokens, now, probe_every=self._probe_every, random=self._random
                ),
            )
            return OperationSucceeded(outcome, tokens, await self._append_to_journal(outcome))

    async def _append_to_journal(self, outcome: Outcome) -> int | None:
        try:
            return await self._journal.append(Entry(REFRESH_ENTRY, outcome.as_json))
        except JournalUnwritable:
            # The old refresh token is used, so the store must save the new token without the journal.
            log.exception("could not journal new tokens connection_id=%s", outcome.connection_id)
            return None

    async def _probe(self, context: OperationContext) -> OperationSucceeded:
        lease, now = context.lease, self._clock.now()
        family, access = context.family, context.tokens.access
        accounts = await self._tiktok_client.execute(
            family.accounts_call(context.tokens, tiktok_user_id=lease.stored.tiktok_user_id)
        )
        outcome = Outcome.verified(
            lease.stored,
            context.timer.finish(),
            lease_owner=lease.owner,
            verified_at=now,
            due_at=schedule.next_probe(now, self._probe_every, random=self._random),
            accounts=accounts,
            account_token=self._user_accounts_token.for_access_token(access, lease.stored.user_id)
            if family.has_advertisers
            else None,
        )
        return OperationSucceeded(outcome, context.tokens)

    async def _revoke(self, context: OperationContext) -> OperationSucceeded:
        try:
            # TikTok does not promise that revoking one token leaves the other grants of the user alone.
            if not context.lease.stored.tiktok_user_is_connected:
                await self._tiktok_client.execute(context.family.revoke_call(context.tokens))
        except (AccessTokenRejected, ReconnectRequired):
            log.info(
                "token was already revoked at TikTok connection_id=%s",
                context.lease.stored.connection_id,
            )
        return self._revoked(context)

    def _revoked(self, context: OperationContext) -> OperationSucceeded:
        stored, owner = context.lease.stored, context.lease.owner
        outcome = Outcome.tokens_deleted(stored, context.timer.finish(), lease_owner=owner)
        return OperationSucceeded(outcome, tokens=None)

    def _failed(
        self, lease: RefreshLease, timer: AttemptTimer, error: ConnectorError
    ) -> OperationFailed:
        message = failure_message(lease.stored, error)
        outcome = failure_outcome(
            lease.stored,
            timer.finish(error, message=message),
            error,
            lease_owner=lease.owner,
            now=self._clock.now(),
            random=self._random,
        )
        return OperationFailed(outcome, error)
