"""Deletes everything about one person."""

from __future__ import annotations

from connector.model import UserId

from .operations import Operations, parse_rows
from .records import RowId


class ErasureOperations(Operations):
    async def erase_user(self, user_id: UserId) -> list[str]:
        """Returns the ids of the deleted connections. The row in `user_accounts` stays, without its values."""
        rows = await self._call("erase_user", user_id=user_id)
        return [row.id for row in parse_rows(RowId, rows)]
