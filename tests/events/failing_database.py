"""A real database that does not answer to the operations that a test names."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connector.errors import StoreUnreachable
from connector.store import Database


class FailingDatabase:
    name = "failing"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fails_before: set[str] = set()
        """The operation has no effect."""

        self.fails_after: set[str] = set()
        """The operation has its effect, and its answer is lost."""

        self.calls: Counter[str] = Counter()

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        self.calls[operation] += 1
        if operation in self.fails_before:
            raise StoreUnreachable("The database does not answer.")
        rows = await self._database.call(operation, **arguments)
        if operation in self.fails_after:
            raise StoreUnreachable("The database does not answer.")
        return rows
