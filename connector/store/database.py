"""Defines the interface that each database implements."""

from __future__ import annotations

from typing import Any, Protocol


class Database(Protocol):
    name: str

    async def open(self) -> None: ...

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """Runs one operation in one transaction: either all changes take effect, or none."""

    async def close(self) -> None: ...
