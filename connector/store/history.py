"""Lists attempts, counts attempts and deletes old rows."""

from __future__ import annotations

from datetime import datetime

from connector.model import Attempt, UserId

from .operations import Operations, parse_first_row, parse_rows
from .records import AttemptCount, CleanupResult

CLEANUP_BATCH = 5000


class HistoryOperations(Operations):
    async def list_attempts(self, connection_id: str, *, max_rows: int = 50) -> list[Attempt]:
        rows = await self._call("list_attempts", connection_id=connection_id, max_rows=max_rows)
        return parse_rows(Attempt, rows)

    async def count_attempts_by_hour(
        self, *, user_id: UserId | None, since: datetime
    ) -> list[AttemptCount]:
        rows = await self._call("count_attempts_by_hour", user_id=user_id, since=since)
        return parse_rows(AttemptCount, rows)

    async def delete_old_rows(
        self,
        *,
        before: datetime,
        keep_attempts: int,
        events_before: datetime,
        max_rows: int = CLEANUP_BATCH,
    ) -> bool:
        """Returns True if more rows remain, because one call deletes a limited number."""
        rows = await self._call(
            "delete_old_rows",
            before=before,
            keep_attempts=keep_attempts,
            events_before=events_before,
            max_rows=max_rows,
        )
        return parse_first_row(CleanupResult, rows).more_left
