"""Where a house keeps what it knows, and a way to look behind it: SQLite, Supabase, Postgres."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from connector.store.sqlite import JSON_COLUMNS

from .stack import Stack

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    kind: str
    environ: dict[str, str]
    select: Callable[[str], Rows]
    script: Callable[[str], None]
    dump: Callable[[], str]

    def rows(self, table: str) -> Rows:
        """The whole table; JSON is read, ids are text."""
        schema = "connector." if self.kind != "sqlite" and table != "user_accounts" else ""
        return [_plain(row) for row in self.select(f"select * from {schema}{table}")]

    def row(self, table: str) -> dict[str, Any]:
        (row,) = self.rows(table)
        return row


def in_file(path: Path) -> Place:
    """`script` wants the tables to be there: a house has to have been opened."""

    def select(query: str) -> Rows:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    def script(statements: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(statements)

    def dump() -> str:
        with closing(sqlite3.connect(path)) as connection:
            return "\n".join(connection.iterdump())

    return Place("sqlite", {"CONNECTOR_DATABASE": str(path)}, select, script, dump)


def in_stack(stack: Stack, kind: str) -> Place:
    """Emptied first. `kind` is the road to it: through PostgREST, or straight."""
    stack.truncate()
    straight = {"SUPABASE_DB_URL": stack.dsn} if kind == "postgres" else {}

    def dump() -> str:
        command = [str(stack._programs / "pg_dump"), "--data-only", stack.dsn]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return Place(kind, stack.environment() | straight, stack.sql, stack.script, dump)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _read(name, value) for name, value in row.items()}


def _read(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
