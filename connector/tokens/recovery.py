"""Saves the unsaved tokens of dead processes, and releases the leases of these processes.

Both are found in the journal when a process starts. The tokens are saved first. While new tokens are only
in the journal, the refresh token in the store is a used one, so the lease of the dead process must stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import timedelta

from pydantic import ValidationError

from connector.clock import Clock
from connector.errors import ConfigurationError, ConnectorError, InternalError
from connector.journal import Entry, Journal, RecoveredEntry, RecoveredOwner
from connector.store import Outcome, Store

from .outcome_writer import OutcomeWriter

log = logging.getLogger(__name__)

REFRESH_ENTRY = "refresh"
"""The kind of the journal entries that contain an `Outcome`."""


class TokenRecovery:
    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        outcome_writer: OutcomeWriter,
        clock: Clock,
        max_lease: timedelta,
    ) -> None:
        self._store = store
        self._journal = journal
        self._outcome_writer = outcome_writer
        self._clock = clock
        self._max_lease = max_lease
        self._dead_owners: dict[int, str] = {}
        self._lock = asyncio.Lock()

    def recover(self, entries: Iterable[RecoveredEntry], owners: Iterable[RecoveredOwner]) -> None:
        """Remembers the refresh entries and the owner ids of dead processes. Writes nothing."""
        for recovered in entries:
            if recovered.entry.kind == REFRESH_ENTRY:
                self._recover_outcome(recovered.entry_id, recovered.entry)
        self._dead_owners.update({owner.entry_id: owner.owner_id for owner in owners})

    def _recover_outcome(self, entry_id: int, entry: Entry) -> None:
        try:
            outcome = Outcome.model_validate(entry.fields)
        except ValidationError:
            log.error("unreadable journal entry not removed entry_id=%d", entry_id)
            return
        self._outcome_writer.add_unsaved(outcome, entry_id)

    async def flush(self) -> None:
        """Saves unsaved tokens, then releases the leases of dead processes.

        Called before each new lease. Raises if the store does not answer.
        """
        if not self._outcome_writer.unsaved and not self._dead_owners:
            return
        async with self._lock:
            await self._outcome_writer.flush_unsaved()
            if self._dead_owners and not self._outcome_writer.unsaved:
                await self._release_dead_leases()

    async def _release_dead_leases(self) -> None:
        owners = list(self._dead_owners.values())
        try:
            released = await self._store.release_leases(
                owners, now=self._clock.database_time(), max_lease=self._max_lease
            )
        except (InternalError, ConfigurationError) as error:
            # These leases expire, so new leases need not wait for the release.
            log.error("could not release leases of dead processes error=%s", error.code)
        else:
            log.info(
                "released leases of dead processes processes=%d connections=%d",
                len(owners),
                released,
            )
        while self._dead_owners:
            entry_id, _ = self._dead_owners.popitem()
            await self._journal.remove(entry_id)

    async def close(self) -> None:
        """Tries one last flush. Tokens that the store does not save stay in the journal."""
        with contextlib.suppress(ConnectorError):
            await self.flush()
