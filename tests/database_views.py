"""A view of a test's database from outside the service: its tables, its settings and raw SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from connector.store.sqlite import JSON_COLUMNS

from .supabase_stack import Stack

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class DatabaseView:
    kind: str
    """`sqlite`, `supabase` (PostgreSQL through PostgREST) or `postgres` (directly)."""

    environ: dict[str, str]
    """The settings with which a service uses this database."""

    select: Callable[[str], Rows]
    script: Callable[[str], None]
    dump: Callable[[], str]

    def rows(self, table: str) -> Rows:
        """Returns all rows of the table; JSON is parsed, ids are text."""
        schema = "connector." if self.kind != "sqlite" and table != "user_accounts" else ""
        return [_parse_row(row) for row in self.select(f"select * from {schema}{table}")]

    def row(self, table: str) -> dict[str, Any]:
        (row,) = self.rows(table)
        return row


def sqlite_view(path: Path) -> DatabaseView:
    """The tables exist only after a service or a store has opened the file."""

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

    return DatabaseView("sqlite", {"CONNECTOR_DATABASE": str(path)}, select, script, dump)


def supabase_view(stack: Stack, kind: str) -> DatabaseView:
    """Returns the Supabase database with empty tables."""
    stack.truncate()
    environ = stack.environment()
    if kind == "postgres":
        environ["SUPABASE_DB_URL"] = stack.dsn
    return DatabaseView(kind, environ, stack.sql, stack.script, lambda: stack.dump("--data-only"))


def _parse_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _parse_value(name, value) for name, value in row.items()}


def _parse_value(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
