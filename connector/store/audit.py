"""Who read or changed what. Entries are only added, and deleted when they are old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connector.model import FrozenModel, UserId, UtcDatetime

from .operations import Operations, parse_first_row, parse_rows
from .records import CleanupResult

AUDIT_CLEANUP_BATCH = 5000

AuditAction = Literal[
    "read_token",
    "create_ticket",
    "select_advertiser",
    "disconnect",
    "refresh_token",
    "erase_user",
    "create_endpoint",
    "update_endpoint",
    "delete_endpoint",
    "rotate_endpoint_secret",
    "test_endpoint",
    "replay_events",
]

ERASED = UserId("erased")
"""Replaces the id of an erased user, and the ids of the user's connections."""


class AuditEntry(FrozenModel):
    at: UtcDatetime
    id: str
    """Unique for one time, so that an entry that is written twice stays one entry."""

    actor: str
    """The name of an API key, or `user`, `person` or `command line`."""

    action: AuditAction
    connection_id: str | None = None
    """If it is set, so is `user_id`, by which the entry is found."""

    user_id: UserId | None = None
    request_id: str | None = None
    peer: str | None = None


@dataclass(frozen=True)
class AuditFilter:
    """Only entries that match every field that is not None."""

    connection_id: str | None = None
    user_id: UserId | None = None
    actor: str | None = None


@dataclass(frozen=True)
class AuditPosition:
    """The position of an entry in the list. The list continues with the entries before this one."""

    at: datetime
    id: str


class AuditOperations(Operations):
    async def add_audit_entries(self, entries: Sequence[AuditEntry]) -> None:
        """An entry that exists is not written again, so a call whose response was lost can be repeated."""
        await self._call(
            "add_audit_entries", entries=[entry.model_dump(mode="json") for entry in entries]
        )

    async def list_audit_entries(
        self, matching: AuditFilter, *, before: AuditPosition | None, max_rows: int
    ) -> list[AuditEntry]:
        """Returns the newest entries first."""
        rows = await self._call(
            "list_audit_entries",
            connection_id=matching.connection_id,
            user_id=matching.user_id,
            actor=matching.actor,
            before_at=before and before.at,
            before_id=before and before.id,
            max_rows=max_rows,
        )
        return parse_rows(AuditEntry, rows)

    async def delete_old_audit_entries(
        self, *, before: datetime, max_rows: int = AUDIT_CLEANUP_BATCH
    ) -> bool:
        """Returns True if more entries remain, because one call deletes a limited number."""
        rows = await self._call("delete_old_audit_entries", before=before, max_rows=max_rows)
        return parse_first_row(CleanupResult, rows).more_left
