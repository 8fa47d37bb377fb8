"""The lease is the right to refresh one connection. Only one process has it at a time.

The store ends a lease by the clock of the database. The process measures the remaining time with its own
monotonic clock, which is read before the request is sent. So no two clocks are compared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from connector.clock import Clock
from connector.concurrency import poll
from connector.errors import Busy, ConnectorError, InternalError, NotFound
from connector.journal import Journal
from connector.model import StoredTokens
from connector.store import Store
from connector.tiktok_client import REQUEST_DEADLINE_SECONDS

from .failures import raise_if_backing_off, require_active
from .outcome_writer import OutcomeWriter
from .recovery import TokenRecovery

log = logging.getLogger(__name__)

REFRESH_LEASE = timedelta(seconds=60)
MAX_REFRESH_LEASE = timedelta(minutes=10)
"""The background leases a connection for a third of its token's remaining life, between these two."""

MAX_TIKTOK_CALL = timedelta(seconds=REQUEST_DEADLINE_SECONDS)
SEND_WITHIN_SECONDS = (REFRESH_LEASE - MAX_TIKTOK_CALL).total_seconds()
"""Counted from the time before the call of the store, because the lease starts before the response of
the store arrives."""

LEASE_WAIT = timedelta(seconds=25)
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.05, 0.5


@dataclass(frozen=True)
class RefreshLease:
    stored: StoredTokens
    """The row at the time when the lease was acquired."""

    owner: str
    send_before: float
    """In `Clock.ticks` of this process. A later call to TikTok might still run when the lease ends."""


@dataclass(frozen=True)
class NewerTokens:
    """Another process has saved newer tokens, so no refresh is needed."""

    stored: StoredTokens


@dataclass(eq=False)
class LeaseWaiter:
    connection_id: str
    lease: RefreshLease | None = None
    """The lease that the background has handed over to this refresh."""

    handed_over: asyncio.Event = field(default_factory=asyncio.Event)


class LeaseWaiters:
    """The refreshes of this process that wait for a lease.

    If the background acquires the lease first, the background hands the lease over to the waiting
    refresh.
    """

    def __init__(self) -> None:
        self._waiters: dict[str, LeaseWaiter] = {}

    @contextmanager
    def wait_for(self, connection_id: str) -> Iterator[LeaseWaiter]:
        waiter = self._waiters[connection_id] = LeaseWaiter(connection_id)
        try:
            yield waiter
        finally:
            del self._waiters[connection_id]

    def hand_over(self, lease: RefreshLease) -> bool:
        """Returns False if no refresh waits for this lease."""
        waiter = self._waiters.get(lease.stored.connection_id)
        if waiter is None:
            return False
        waiter.lease = lease
        waiter.handed_over.set()
        return True


class RefreshLeases:
    def __init__(
        self,
        *,
        store: Store,
        outcome_writer: OutcomeWriter,
        recovery: TokenRecovery,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self.waiters = LeaseWaiters()
        self._store = store
        self._outcome_writer = outcome_writer
        self._recovery = recovery
        self._journal = journal
        self._owner_id = journal.owner_id
        self._clock = clock
        self._has_requested_leases = False

    async def acquire(self, stored: StoredTokens) -> RefreshLease | NewerTokens:
        """Waits while another process has the lease. If that process fails, its error is raised."""
        with self.waiters.wait_for(stored.connection_id) as waiter:
            if (lease := await self._try_acquire(stored, waiter)) is not None:
                return lease
            async for _ in poll(
                self._clock,
                wait_seconds=LEASE_WAIT.total_seconds(),
                min_pause=MIN_POLL_SECONDS,
                max_pause=MAX_POLL_SECONDS,
                wake=waiter.handed_over,
            ):
                # Read the row first: if the other process has just failed, this process would also fail.
                if (newer := await self._result_of_other_owner(stored)) is not None:
                    return newer
                if (lease := await self._try_acquire(stored, waiter)) is not None:
                    return lease
        raise Busy("Another process is refreshing this connection.", retry_after=5)

    async def _try_acquire(self, stored: StoredTokens, waiter: LeaseWaiter) -> RefreshLease | None:
        await self._recovery.flush()
        if self._outcome_writer.has_unsaved_tokens(stored.connection_id):
            raise InternalError("The store refuses the newest tokens of this connection.")
        if waiter.lease is not None:
            return waiter.lease
        self._has_requested_leases = True
        send_before = self._clock.ticks() + SEND_WITHIN_SECONDS
        leased = await self._store.acquire_refresh_lease(
            stored.connection_id,
            token_version=stored.token_version,
            owner=self._owner_id,
            now=self._clock.database_time(),
            lease=REFRESH_LEASE,
        )
        return RefreshLease(leased, self._owner_id, send_before) if leased else None

    async def _result_of_other_owner(self, stored: StoredTokens) -> NewerTokens | None:
        current = await self._store.get_stored_tokens(stored.connection_id)
        if current is None:
            raise NotFound("There is no such connection.")
        if current.token_version != stored.token_version:
            return NewerTokens(current)
        # Revoking the tokens of a disconnected connection does not need an active connection.
        if stored.status != "revoked":
            require_active(current)
        if current.last_failure is not None and current.last_failure != stored.last_failure:
            raise_if_backing_off(current.last_failure, self._clock.now())
        return None

    async def lease_due(self, max_rows: int) -> list[RefreshLease]:
        await self._recovery.flush()
        self._has_requested_leases = True
        send_before = self._clock.ticks() + SEND_WITHIN_SECONDS
        due = await self._store.lease_due_connections(
            owner=self._owner_id,
            max_rows=max_rows,
            now=self._clock.database_time(),
            lease=REFRESH_LEASE,
            max_lease=MAX_REFRESH_LEASE,
        )
        return [RefreshLease(stored, self._owner_id, send_before) for stored in due]

    async def release_all(self) -> None:
        """Ends the leases that this process still has when it stops, for example because the response of the
        store was lost. Call this after all refreshes have ended and their tokens were saved."""
        # The leases of unsaved tokens must stay. The next process finds these tokens in the journal.
        if not self._has_requested_leases or self._outcome_writer.unsaved:
            return
        try:
            await self._store.release_leases(
                [self._owner_id], now=self._clock.database_time(), max_lease=MAX_REFRESH_LEASE
            )
        except ConnectorError as error:
            log.warning("leases not released at the end error=%s", error.code)
            self._journal.keep_file()
