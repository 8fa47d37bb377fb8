"""Saves the unsaved tokens of dead processes, and releases the leases of these processes.

Both are found in the journal when a process starts, and in the journal folder while it runs: several
processes may share the folder, and a process that has died may never start again. The tokens are saved
first. While new tokens are only in the journal, the refresh token in the store is a used one, so the lease
of the dead process must stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from pydantic import ValidationError

from connector.clock import Clock
from connector.concurrency import sleep_until
from connector.errors import ConfigurationError, ConnectorError, InternalError
from connector.journal import Entry, Journal, Recovered, RecoveredEntry
from connector.store import Outcome, Store

from .outcome_writer import OutcomeWriter

log = logging.getLogger(__name__)

REFRESH_ENTRY = "refresh"
"""The kind of the journal entries that contain an `Outcome`."""

ADOPTION_SECONDS = 5.0
"""Much shorter than a lease: no other process uses the refresh token of a dead process before that."""


class TokenRecovery:
    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        outcome_writer: OutcomeWriter,
        clock: Clock,
        max_lease: timedelta,
        recover_grants: Callable[[Iterable[RecoveredEntry]], None],
    ) -> None:
        """`recover_grants` gets the entries of dead processes too, because they also contain grants."""
        self._store = store
        self._journal = journal
        self._outcome_writer = outcome_writer
        self._clock = clock
        self._max_lease = max_lease
        self._recover_grants = recover_grants
        self._dead_owners: dict[int, str] = {}
        self._lock = asyncio.Lock()

    def recover(self, recovered: Recovered) -> None:
        """Remembers the entries and the owner ids of dead processes. Writes nothing."""
        for found in recovered.entries:
            if found.entry.kind == REFRESH_ENTRY:
                self._recover_outcome(found.entry_id, found.entry)
        self._recover_grants(recovered.entries)
        self._dead_owners.update({owner.entry_id: owner.owner_id for owner in recovered.owners})

    async def adopt(self) -> None:
        """Takes over the journals of processes that have died meanwhile, and saves their tokens.

        Raises if the folder cannot be read or the store does not answer. Must not be cancelled.
        """
        self.recover(await self._journal.adopt_dead_files())
        await self.flush()

    async def adopt_until(self, stopped: asyncio.Event) -> None:
        """Adopts every few seconds until the event is set. Never cancel this task."""
        while True:
            await sleep_until(stopped, clock=self._clock, max_seconds=ADOPTION_SECONDS)
            if stopped.is_set():
                return
            try:
                await self.adopt()
            except ConnectorError as error:
                log.warning("journal adoption postponed error=%s", error.code)
            except Exception:
                log.exception("unexpected error in journal adoption")

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
        owners = dict(self._dead_owners)  # `adopt` may add owners during the call.
        try:
            released = await self._store.release_leases(
                list(owners.values()), now=self._clock.database_time(), max_lease=self._max_lease
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
        for entry_id in owners:
            del self._dead_owners[entry_id]
            await self._journal.remove(entry_id)

    async def close(self) -> None:
        """Tries one last flush. Tokens that the store does not save stay in the journal."""
        with contextlib.suppress(ConnectorError):
            await self.flush()
