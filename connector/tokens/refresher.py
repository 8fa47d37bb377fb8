"""Refreshes a connection once: acquire the lease, run the operation, save its outcome."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from connector.attempts import AttemptObserver, ignore_attempt
from connector.clock import Clock
from connector.concurrency import AdaptiveLimit, SingleFlight
from connector.errors import Busy, ConnectorError, OnHold, ReconnectRequired
from connector.model import StoredTokens, Tokens
from connector.store import Store

from .leases import NewerTokens, RefreshLease, RefreshLeases
from .operations import OperationFailed, OperationSucceeded, RefreshOperation, TokenOperations
from .outcome_writer import OutcomeWriter, SaveResult
from .recovery import TokenRecovery

log = logging.getLogger(__name__)

MAX_CONCURRENT_REFRESHES = 768


@dataclass(frozen=True)
class RefreshResult:
    """The connection after a refresh."""

    stored: StoredTokens
    tokens: Tokens | None = None
    """The decrypted tokens, if this process has just received or used them."""


class TokenRefresher:
    def __init__(
        self,
        *,
        store: Store,
        leases: RefreshLeases,
        operations: TokenOperations,
        outcome_writer: OutcomeWriter,
        recovery: TokenRecovery,
        clock: Clock,
        observe: AttemptObserver = ignore_attempt,
        max_concurrent: int = MAX_CONCURRENT_REFRESHES,
        hold: bool = False,
    ) -> None:
        """With `hold`, every refresh is refused before a lease is acquired."""
        self._store = store
        self._leases = leases
        self._operations = operations
        self._outcome_writer = outcome_writer
        self._recovery = recovery
        self._observe = observe
        self._hold = hold
        self._running: SingleFlight[str, RefreshResult] = SingleFlight(self._on_done)
        self.background_limit = AdaptiveLimit(
            max_concurrent, running=self._running.__len__, clock=clock
        )

    async def refresh(
        self,
        stored: StoredTokens,
        *,
        actor: str,
        operation: RefreshOperation = "refresh",
        tokens: Tokens | None = None,
    ) -> RefreshResult:
        """Runs the operation, or waits for the running operation of the same connection.

        Tokens that cannot be refreshed are probed, and the tokens of a disconnected connection are
        revoked. `tokens` are the decrypted tokens of `stored`, if the caller has them.
        """
        if self._hold:
            raise OnHold
        refresh_once = partial(
            self._refresh_once, stored, actor=actor, operation=operation, tokens=tokens
        )
        return await self._running.run(stored.connection_id, refresh_once)

    async def _refresh_once(
        self,
        stored: StoredTokens,
        *,
        actor: str,
        operation: RefreshOperation,
        tokens: Tokens | None,
    ) -> RefreshResult:
        lease = await self._leases.acquire(stored)
        if isinstance(lease, NewerTokens):
            return RefreshResult(lease.stored)
        # The tokens may differ although the version is equal: if an unsaved outcome was superseded.
        if lease.stored.encrypted_tokens != stored.encrypted_tokens:
            tokens = None
        return await self._run_operation(lease, operation=operation, actor=actor, tokens=tokens)

    def start_with_lease(
        self, lease: RefreshLease, *, actor: str
    ) -> asyncio.Task[RefreshResult] | None:
        """Starts a refresh for the background. Returns None if no new refresh is started."""
        connection_id = lease.stored.connection_id
        if self._leases.waiters.hand_over(lease):
            return None
        # A refresh may still run after its lease has ended. No second refresh is started then.
        if connection_id in self._running or self._outcome_writer.has_unsaved_tokens(connection_id):
            return None
        return self._running.start(
            connection_id, self._run_operation(lease, operation="refresh", actor=actor)
        )

    async def _run_operation(
        self,
        lease: RefreshLease,
        *,
        operation: RefreshOperation,
        actor: str,
        tokens: Tokens | None = None,
    ) -> RefreshResult:
        result = await self._operations.execute(
            lease, requested=operation, actor=actor, tokens=tokens
        )
        self._observe(lease.stored.family, result.outcome.attempt)
        if isinstance(result, OperationFailed):
            return await self._save_failure(lease.stored, result)
        return await self._save_success(lease.stored, result)

    async def _save_success(
        self, stored: StoredTokens, result: OperationSucceeded
    ) -> RefreshResult:
        outcome = result.outcome
        try:
            saved = await self._outcome_writer.write(outcome, entry_id=result.entry_id)
        except ConnectorError:
            if outcome.encrypted_tokens is None:
                raise
            saved = SaveResult.SAVED  # The writer has the tokens, and the tokens are valid.
        if saved is SaveResult.SUPERSEDED and (newer := await self._newer_tokens(stored)):
            return RefreshResult(newer)
        return RefreshResult(outcome.apply_to(stored), result.tokens)

    async def _save_failure(self, stored: StoredTokens, failed: OperationFailed) -> RefreshResult:
        """Returns newer tokens if another process has saved them. Otherwise raises the error."""
        if isinstance(failed.error, ReconnectRequired):
            # A process that has just died may have rotated the token, and its response is in its journal.
            await self._recovery.adopt()
        try:
            saved = await self._outcome_writer.write(failed.outcome)
        except ConnectorError:
            raise failed.error from None
        if saved is SaveResult.SUPERSEDED and (newer := await self._newer_tokens(stored)):
            return RefreshResult(newer)
        if isinstance(failed.error, ReconnectRequired):
            if saved is SaveResult.SUPERSEDED:
                raise Busy("Another process is refreshing this connection.", retry_after=5)
            log.warning(
                "reconnect required connection_id=%s error=%s",
                stored.connection_id,
                failed.error.message,
            )
        raise failed.error

    async def _newer_tokens(self, stored: StoredTokens) -> StoredTokens | None:
        current = await self._store.get_stored_tokens(stored.connection_id)
        if current is None or current.token_version == stored.token_version:
            return None
        return current

    def _on_done(self, connection_id: str, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, ConnectorError):
            log.error("unexpected error in refresh connection_id=%s", connection_id, exc_info=error)
        self.background_limit.note_task_finished()

    async def wait_until_idle(self) -> None:
        """Waits until no refresh runs. Shutdown calls this, because a refresh is never cancelled."""
        await self._running.wait_until_idle()
