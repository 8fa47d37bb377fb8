"""Encodes an entry as a record of the file, and decodes it: a JSON array of checksum, kind and fields."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

DEAD_OWNER = "dead owner"
"""The kind of an entry that holds the owner id of a dead process."""

COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # SQLite also reads this JSON.


@dataclass(frozen=True)
class Entry:
    """A response or a marker that a later process completes. `fields` is JSON, and its tokens are encrypted."""

    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class RecoveredEntry:
    entry_id: int
    entry: Entry


@dataclass(frozen=True)
class RecoveredOwner:
    entry_id: int
    owner_id: str


@dataclass(frozen=True)
class Recovered:
    """What dead processes left in their files. It stays in the journal of this process until it is removed."""

    entries: tuple[RecoveredEntry, ...] = ()
    """Oldest first."""

    owners: tuple[RecoveredOwner, ...] = ()

    def records(self) -> dict[int, str]:
        owners = {
            owner.entry_id: encode(Entry(DEAD_OWNER, {"owner_id": owner.owner_id}))
            for owner in self.owners
        }
        return owners | {recovered.entry_id: encode(recovered.entry) for recovered in self.entries}


def encode(entry: Entry) -> str:
    content = COMPACT.encode([entry.kind, dict(entry.fields)])
    return f"[{zlib.crc32(content.encode())},{content[1:]}"


def decode(record: Any) -> Entry | None:
    """Returns None if the record is damaged."""
    with suppress(TypeError, ValueError):
        match json.loads(record):
            case [checksum, str(kind), dict(fields)]:
                entry = Entry(kind, fields)
                return entry if encode(entry).startswith(f"[{checksum},") else None
    return None
