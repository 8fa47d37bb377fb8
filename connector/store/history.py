"""Lists attempts, counts attempts and deletes old rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.model import Attempt, UserId

from .operations import Operations, parse_first_row, parse_rows
from .records import AttemptCount, CleanupResult

CLEANUP_BATCH = 5000


@dataclass(frozen=True)
class Retention:
    """How long rows are kept."""

    codes: timedelta
    attempts: timedelta
    attempts_per_connection: int
    """The last attempts of each connection are kept at any age."""

    events: timedelta
    """Also deliveries, which are deleted with their events."""

    webhooks: timedelta
    counts: timedelta


class HistoryOperations(Operations):
    async def list_attempts(self, connection_id: str, *, max_rows: int = 50) -> list[Attempt]:
        rows = await self._call("list_attempts", connection_id=connection_id, max_rows=max_rows)
        return parse_rows(Attempt, rows)

    async def count_attempts_by_hour(
        self, *, user_id: UserId | None, since: datetime
    ) -> list[AttemptCount]:
        """Hour 0 starts at `since`, which is the start of an hour. Counting the attempts of all users reads
        counters, which are kept for `Retention.counts`."""
        if user_id is None:
            rows = await self._call("count_attempts_by_hour", since=since)
        else:
            rows = await self._call("count_user_attempts_by_hour", user_id=user_id, since=since)
        return parse_rows(AttemptCount, rows)

    async def delete_old_rows(
        self,
        retention: Retention,
        *,
        interval: timedelta,
        now: datetime | None,
        max_rows: int = CLEANUP_BATCH,
    ) -> bool:
        """Returns True if more rows remain, because one call deletes a limited number. Does nothing if the
        last deletion, by any process, was less than `interval` ago."""
        rows = await self._call(
            "delete_old_rows",
            code_seconds=retention.codes.total_seconds(),
            attempt_seconds=retention.attempts.total_seconds(),
            keep_attempts=retention.attempts_per_connection,
            event_seconds=retention.events.total_seconds(),
            webhook_seconds=retention.webhooks.total_seconds(),
            count_seconds=retention.counts.total_seconds(),
            interval_seconds=interval.total_seconds(),
            max_rows=max_rows,
            now=now,
        )
        return bool(rows) and parse_first_row(CleanupResult, rows).more_left
