"""The benchmarks insert their rows past the service, so the rows must fit the tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench._rows import DUE, FRESH, insert_into_postgres, insert_into_sqlite, make_connections
from connector.encryption import EncryptionKey, TokenCipher
from tests.supabase_stack import Stack

CIPHER = TokenCipher((EncryptionKey.generate("bench"),))
COUNT_DUE = "select count(*) as count from connector.connections where due_at < now()"


def test_the_rows_of_the_benchmarks_fit_the_table_of_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    insert_into_sqlite(path, FRESH.rows(make_connections(2), CIPHER))
    [(count,)] = sqlite3.connect(path).execute("select count(*) from connections")
    assert count == 2


def test_the_rows_of_the_benchmarks_fit_the_table_of_postgres(stack: Stack) -> None:
    stack.truncate()
    dsn = stack.dsn.replace("postgres@", "supabase_admin@")
    insert_into_postgres(dsn, DUE.rows(make_connections(2), CIPHER), filler=3)
    assert stack.sql(COUNT_DUE) == [{"count": 2}]
    stack.truncate()
