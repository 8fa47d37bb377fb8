"""An entry, and its record in the file: a JSON array that begins with a checksum of the rest."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # SQLite reads it too.


@dataclass(frozen=True)
class Entry:
    """What to do again after a crash. `fields` is JSON and holds tokens only encrypted."""

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


def encode(entry: Entry) -> str:
    content = COMPACT.encode([entry.kind, dict(entry.fields)])
    return f"[{zlib.crc32(content.encode())},{content[1:]}"


def decode(record: Any) -> Entry | None:
    """None if this is not what was written."""
    with suppress(TypeError, ValueError):
        match json.loads(record):
            case [checksum, str(kind), dict(fields)]:
                entry = Entry(kind, fields)
                return entry if encode(entry).startswith(f"[{checksum},") else None
    return None
