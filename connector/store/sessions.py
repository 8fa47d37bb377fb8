"""Remembers the sessions that were ended before they expired."""

from __future__ import annotations

from datetime import datetime

from .operations import Operations


class SessionOperations(Operations):
    async def end_session(
        self, session_hash: str, *, keep_until: datetime, now: datetime | None
    ) -> None:
        """Also deletes the rows that are no longer needed."""
        await self._call("end_session", session_hash=session_hash, keep_until=keep_until, now=now)

    async def is_session_ended(self, session_hash: str) -> bool:
        return bool(await self._call("is_session_ended", session_hash=session_hash))
