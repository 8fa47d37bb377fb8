"""Writes the section of docs/webhooks.md that describes every event, from the catalogue in `connector.events`.

    python -m tools.event_catalogue

A test fails if the section and the catalogue differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from connector.events import EVENT_TYPES

GUIDE = Path(__file__).parent.parent / "docs" / "webhooks.md"
BEGIN, END = "<!-- begin: events.", "<!-- end: events -->"
MAX_LINE = 96


def render_catalogue() -> str:
    rows = [f"| `{kind.name}` | {kind.description} |" for kind in EVENT_TYPES]
    examples = [
        f"### {kind.name}\n\n```json\n{_render(kind.example_body)}\n```\n" for kind in EVENT_TYPES
    ]
    table = "\n".join(["| type | when |", "|---|---|", *rows])
    return f"{table}\n\nThe body of each event, as an example:\n\n" + "\n".join(examples)


def replace_section(guide: str) -> str:
    head, begin, rest = guide.partition(BEGIN)
    comment, newline, rest = rest.partition("\n")
    _, end, tail = rest.partition(END)
    return f"{head}{begin}{comment}{newline}\n{render_catalogue()}\n{end}{tail}"


def _render(value: object, indent: str = "") -> str:
    """An object stays on one line if it is short."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, Mapping) or (indent and len(indent + line) <= MAX_LINE):
        return line
    inner = f"{indent}  "
    members = [
        f"{inner}{json.dumps(key)}: {_render(member, inner)}" for key, member in value.items()
    ]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


if __name__ == "__main__":
    GUIDE.write_text(replace_section(GUIDE.read_text()))
