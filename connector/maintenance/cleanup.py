"""Deletes rows that are older than their retention period.

Each replica asks once an hour. The database lets one replica delete, and only if the last deletion was an
hour ago. Old audit entries are deleted by each replica: if another one was faster, there is nothing to delete.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.clock import Clock
from connector.events import EVENT_RETENTION
from connector.store import Retention, Store

CLEANUP_INTERVAL = timedelta(hours=1)
MIN_INTERVAL = CLEANUP_INTERVAL * 0.9
"""Shorter than an hour. Otherwise a replica that asks a moment too early would wait for a second hour."""

RETENTION = Retention(
    codes=timedelta(hours=24),
    # The activity of one user counts their attempts of the last day.
    attempts=timedelta(hours=24),
    attempts_per_connection=50,
    events=EVENT_RETENTION,
    webhooks=timedelta(days=7),
    counts=timedelta(days=31),
)
AUDIT_RETENTION = timedelta(days=90)


class CleanupJob:
    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next_run_at: datetime | None = None

    async def run_once(self) -> None:
        now = self._clock.now()
        if self._next_run_at is not None and now < self._next_run_at:
            return
        # Set before the call, so that a failing cleanup is not repeated in every round.
        self._next_run_at = now + CLEANUP_INTERVAL
        more_left = await self._store.delete_old_rows(
            RETENTION, interval=MIN_INTERVAL, now=self._clock.database_time()
        )
        more_left |= await self._store.delete_old_audit_entries(before=now - AUDIT_RETENTION)
        if more_left:
            self._next_run_at = now
