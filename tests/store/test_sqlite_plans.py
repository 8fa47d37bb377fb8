"""SQLite reads no large table whole, although it knows nothing about the sizes of tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.store.sqlite import SQLite, load_operations

from .conftest import open_store

LARGE_TABLES = {"attempts", "connections", "deliveries", "events", "webhooks"}
OPERATIONS = (
    "apply_outcomes",
    "get_event_bounds",
    "lease_due_deliveries",
    "list_endpoints",
    "list_events",
    "mark_disconnected",
    "number_events",
    "receive_webhook",
    "select_advertiser",
    "settle_deliveries",
    "update_endpoint",
    "upsert_connections",
)
TABLE = re.compile(r"\b(?:from|join|update)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?")
SCAN = re.compile(r"SCAN (\w+)")


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    path = tmp_path / "connector.db"
    async with open_store(SQLite(path)):
        pass
    with closing(sqlite3.connect(path)) as connection:
        for name, arguments in (("add_seconds", 2), ("new_uuid", 0)):
            connection.create_function(name, arguments, lambda *_: None, deterministic=True)
        yield connection


def scanned_tables(connection: sqlite3.Connection, statement: str) -> set[str]:
    tables = {alias: table for table, alias in TABLE.findall(statement)}
    tables |= {table: table for table in tables.values()}
    values = dict.fromkeys(re.findall(r":(\w+)", statement))
    plan = connection.execute(f"explain query plan {statement}", values)
    scans = [SCAN.match(row[3]) for row in plan]
    return {tables[scan[1]] for scan in scans if scan and scan[1] in tables}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_scans_no_large_table(
    connection: sqlite3.Connection, operation: str
) -> None:
    for statement in load_operations()[operation].statements:
        if statement.startswith("create temp table"):
            connection.execute(statement)
        else:
            assert not scanned_tables(connection, statement) & LARGE_TABLES, statement
