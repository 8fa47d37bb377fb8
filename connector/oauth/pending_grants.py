"""Grants that are not connections yet, and the order in which they are written to the store.

Before a code is claimed, `flush` writes the missing grants to the store and then releases the unreleased
claims. Otherwise a code whose grant is in this process could be redeemed a second time. The journal
contains the grants, because a grant must survive a crash. Other claims need no journal entry, because a
claim expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from connector.clock import Clock
from connector.errors import ConnectorError, InternalError
from connector.journal import Journal, RecoveredEntry
from connector.model import UserId
from connector.store import Store

from .code_claims import CodeClaims
from .grant_entries import (
    CLAIM_KIND,
    GRANT_KIND,
    PendingGrant,
    parse_claim_entry,
    parse_grant_entry,
)

log = logging.getLogger(__name__)


class PendingGrants:
    def __init__(self, *, store: Store, journal: Journal, claims: CodeClaims, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._claims = claims
        self._clock = clock
        self._not_in_store: dict[str, PendingGrant] = {}
        self._to_complete: dict[str, PendingGrant] = {}
        self._flush_lock = asyncio.Lock()

    @property
    def unsaved_count(self) -> int:
        return len(self._not_in_store)

    def due(self) -> list[PendingGrant]:
        """Grants that the store has and that should be retried now."""
        now = self._clock.now()
        return [pending for pending in self._to_complete.values() if pending.is_due(now)]

    def pop(self, code_hash: str) -> PendingGrant | None:
        return self._to_complete.pop(code_hash, None)

    def add_unsaved(self, pending: PendingGrant) -> None:
        if pending.is_in_own_journal:
            self._not_in_store[pending.code_hash] = pending

    async def record_failure(self, pending: PendingGrant, *, permanent: bool) -> None:
        """Retries a grant of the store later, unless a retry cannot succeed."""
        if not pending.is_in_own_journal:
            return
        now = self._clock.now()
        self.pop(pending.code_hash)
        if permanent or pending.has_expired(now):
            await self.remove_entries(pending)
        else:
            self._to_complete[pending.code_hash] = pending.after_failure(now)

    async def discard(self, user_id: UserId) -> None:
        """Forgets the user's grants, also those in the journal."""
        for grants in (self._not_in_store, self._to_complete):
            for pending in list(grants.values()):
                if pending.request.oauth_state.user_id == user_id:
                    del grants[pending.code_hash]
                    await self.remove_entries(pending)

    async def remove_entries(self, pending: PendingGrant) -> None:
        for entry_id in pending.entry_ids:
            await self._journal.remove(entry_id)

    def recover(self, entries: Iterable[RecoveredEntry]) -> None:
        """Takes the claims and grants that dead processes left in their journals. `flush` writes them."""
        for recovered in entries:
            entry_id, entry = recovered.entry_id, recovered.entry
            try:
                if entry.kind == CLAIM_KIND:
                    self._claims.unreleased.append(parse_claim_entry(entry_id, entry))
                elif entry.kind == GRANT_KIND:
                    self._recover_grant(parse_grant_entry(entry_id, entry, clock=self._clock))
            except (KeyError, ValueError, TypeError):
                log.error(
                    "unreadable journal entry not removed entry_id=%d kind=%s", entry_id, entry.kind
                )

    def _recover_grant(self, pending: PendingGrant) -> None:
        duplicate = self._not_in_store.get(pending.code_hash)
        if duplicate is not None:
            pending = replace(pending, entry_ids=duplicate.entry_ids + pending.entry_ids)
        self.add_unsaved(pending)

    async def flush(self) -> None:
        """Writes grants and releases claims. Raises an error while the store is unreachable."""
        if not self._not_in_store and not self._claims.unreleased:
            return
        async with self._flush_lock:
            for code_hash, pending in list(self._not_in_store.items()):
                with _isolate_rejection("grant"):
                    await self._save(pending)
                del self._not_in_store[code_hash]
            while self._claims.unreleased:
                claim = self._claims.unreleased[0]
                with _isolate_rejection("claim"):
                    await self._claims.release(claim)
                    if claim.entry_id is not None:
                        await self._journal.remove(claim.entry_id)
                del self._claims.unreleased[0]

    async def _save(self, pending: PendingGrant) -> None:
        request, code_hash = pending.request, pending.code_hash
        # Queued before the call, so that a grant that the store rejects is retried later.
        self._to_complete[code_hash] = pending.after_failure(self._clock.now())
        restored = await self._store.restore_pending_grant(
            code_hash,
            state_hash=request.state_hash,
            user_id=request.oauth_state.user_id,
            family=request.oauth_state.family,
            claimed_by=request.claim_owner,
            claimed_at=pending.claimed_at,
            encrypted_grant=pending.encrypted_grant,
            now=self._clock.database_time(),
            lease=timedelta(0),  # The next POST of the code may continue.
        )
        if restored:
            self._to_complete[code_hash] = pending
        else:
            self.pop(code_hash)
            await self.remove_entries(pending)


@contextmanager
def _isolate_rejection(kind: str) -> Iterator[None]:
    """A rejected item must not block the other items; an unreachable store blocks all of them."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ConnectorError) and not isinstance(error, InternalError):
            raise
        log.exception("store rejected pending item, not removed from journal kind=%s", kind)
