"""How the journal reads on disk: a heading, then one record a line, each with its own checksum.

    connector journal 1
    58a7e1f0 {"ticket":6,"holder":"8d0c…"}

    1c291ca3 {"ticket":7,"kind":"refresh","fields":{…}}

    9be3e0a3 {"cleared":7}

Between two records stand two line ends, so damage to either of them cannot join a good record to
the bad one. A record that does not match its checksum is counted and passed over, never shown:
what follows it is read all the same. NUL bytes are room nobody has written to yet.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMPACT = json.JSONEncoder(separators=(",", ":"))
HEADING = b"connector journal 1\n"
BETWEEN = re.compile(rb"[\n\0]+")
CHECKSUM = re.compile(rb"[0-9a-f]{8} ")


@dataclass(frozen=True)
class Entry:
    """What to do again after a crash. `fields` is JSON, and holds tokens only sealed."""

    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """`live` by ticket, oldest first; `last` is the highest ticket the file knows of.

    `holders` are whose file it is, and of whom that one learnt that they are dead.
    """

    live: dict[int, Entry]
    holders: dict[int, str]
    last: int
    damaged: int
    is_journal: bool


def kept(ticket: int, entry: Entry) -> bytes:
    return _record({"ticket": ticket, "kind": entry.kind, "fields": dict(entry.fields)})


def signed(ticket: int, holder: str) -> bytes:
    return _record({"ticket": ticket, "holder": holder})


def cleared(ticket: int) -> bytes:
    return _record({"cleared": ticket})


def read(data: bytes) -> Reading:
    live: dict[int, Entry] = {}
    holders: dict[int, str] = {}
    last = damaged = good = 0
    has_heading = data.startswith(HEADING)
    for line in BETWEEN.split(data.removeprefix(HEADING)):
        match _checked(line):
            case {"ticket": int(ticket), "kind": str(kind), "fields": dict(fields)}:
                live[ticket] = Entry(kind, fields)
            case {"ticket": int(ticket), "holder": str(holder)}:
                holders[ticket] = holder
            case {"cleared": int(ticket)}:
                live.pop(ticket, None)
                holders.pop(ticket, None)
            case _:
                damaged += bool(line)
                continue
        good += 1
        last = max(last, ticket)
    nothing = not good and not damaged
    return Reading(live, holders, last, damaged, is_journal=has_heading or good > 0 or nothing)


def _record(content: dict[str, Any]) -> bytes:
    text = COMPACT.encode(content).encode()
    return b"\n%08x %s\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> object:
    """The record on this line, or None where the line is not what was once written."""
    text = line[9:]
    if not CHECKSUM.match(line) or int(line[:8], 16) != zlib.crc32(text):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
