"""Deletes rows that are older than their retention period."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.clock import Clock
from connector.store import Store

CLEANUP_INTERVAL = timedelta(hours=1)
ATTEMPTS_KEPT_PER_CONNECTION = 50
MIN_ATTEMPT_AGE = timedelta(hours=24)
"""Younger attempts are not deleted even if there are more than fifty, because the activity of the last
day counts them."""
EVENT_RETENTION = timedelta(days=30)
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
            before=now - MIN_ATTEMPT_AGE,
            keep_attempts=ATTEMPTS_KEPT_PER_CONNECTION,
            events_before=now - EVENT_RETENTION,
        )
        more_left |= await self._store.delete_old_audit_entries(before=now - AUDIT_RETENTION)
        if more_left:
            self._next_run_at = now
