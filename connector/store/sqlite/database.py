"""SQLite, the default store.

The class uses three connections. Reads of a few rows (`LOOP_READS`) run directly on the event loop: with
the write-ahead log no writer blocks these reads, and a thread would be slower than the read. Reads that
may scan a whole table run in a reading thread, so that a slow statistics query does not block token reads.
All other operations run in one writing thread, in `begin immediate` transactions that are synced before
they return, because a token that TikTok has rotated must survive a power cut. Callers wait for the thread
or the file until the deadline. An operation that has started is finished. Other processes may use the
same file.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic_core import to_json

from connector.model import format_utc
from connector.store.database_errors import internal_error, unreachable_error

from .operation_sql import OperationSql, load_operations

JSON_COLUMNS = frozenset(
    {
        "scopes",
        "accounts",
        "selected_advertiser",
        "last_failure",
        "reply",
        "existing_connections",
        "advertiser",
        "key_columns",
        "required_columns",
        "unsuitable_columns",
        "data",
        "content",
        "events",
    },
)
LOOP_READS = frozenset(
    {
        "schema_version",
        "get_connection",
        "get_stored_tokens",
        "find_stored_tokens",
        "list_attempts",
        "is_session_ended",
        "get_event_bounds",
    }
)
DEADLINE = 10.0
QUEUE_GRACE = 1.0
LOCK_TIMEOUT = 5.0
WRITE_CHECK_TTL = 5.0
WAL_ATTEMPTS = 20

PERMANENT_SQLITE_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""Repeating the call would not help. All other errors come from the file, the disk or another process."""

Parameters = dict[str, Any]
T = TypeVar("T")


class SQLite:
    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._operations = load_operations()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="sqlite-read")
        self._writable_until = 0.0

    async def open(self) -> None:
        self._writer = await _in_thread(self._writing, self._connect)
        await _in_thread(self._writing, self._create_tables)
        self._reader = await _in_thread(self._reading, self._connect)
        self._loop_reader = self._connect()

    async def call(self, operation: str, **arguments: Any) -> list[Parameters]:
        sql = self._operations[operation]
        values = {name: _encode(value) for name, value in arguments.items()}
        if operation == "schema_version":
            await self._check_writable()
        if operation in LOOP_READS:
            return _translating_errors(lambda: _rows(self._loop_reader, sql, values))
        if sql.only_reads:
            return await _in_thread(self._reading, lambda: self._read(sql, values))
        return await self._run_write(sql, values)

    async def close(self) -> None:
        # A `close` that starts after a write waits for this write, however long the disk takes.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writing, self._writer.close)
        await loop.run_in_executor(self._reading, self._reader.close)
        self._loop_reader.close()
        self._writing.shutdown()
        self._reading.shutdown()

    async def _run_write(self, sql: OperationSql, values: Parameters) -> list[Parameters]:
        deadline = time.monotonic() + DEADLINE
        return await _in_thread(self._writing, lambda: self._write(sql, values, deadline=deadline))

    async def _check_writable(self) -> None:
        """Tests a write, because reads still work on a full disk."""
        if time.monotonic() >= self._writable_until:
            await self._run_write(self._operations["check_writable"], {})
            self._writable_until = time.monotonic() + WRITE_CHECK_TTL

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        _enable_wal(connection)
        connection.execute("pragma synchronous = full")
        connection.create_function("add_seconds", 2, _add_seconds, deterministic=True)
        connection.create_function("seconds_between", 2, _seconds_between, deterministic=True)
        connection.create_function("new_uuid", 0, lambda: str(uuid4()))
        connection.create_function("lower", 1, _lower, deterministic=True)
        return connection

    def _create_tables(self) -> None:
        self._path.chmod(0o600)
        for tables in ("tables", "event_tables"):
            self._write(self._operations[tables], {}, deadline=time.monotonic() + DEADLINE)

    def _read(self, sql: OperationSql, values: Parameters) -> list[Parameters]:
        return _rows(self._reader, sql, self._with_time(self._reader, values))

    def _with_time(self, connection: sqlite3.Connection, values: Parameters) -> Parameters:
        """If `now` is None, as in production, all statements of the operation use the time of the database."""
        if "now" in values and values["now"] is None:
            return values | _rows(connection, self._operations["current_time"], {})[0]
        return values

    def _write(self, sql: OperationSql, values: Parameters, *, deadline: float) -> list[Parameters]:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise unreachable_error("The SQLite database was busy for too long.")
        self._writer.execute(f"pragma busy_timeout = {remaining * 1000:.0f}")
        self._writer.execute("begin immediate")
        try:
            rows = _rows(self._writer, sql, self._with_time(self._writer, values))
            self._writer.execute("commit")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise
        return rows


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Several processes may open a new file concurrently, and SQLite does not wait for the lock of this
    pragma."""
    for _ in range(WAL_ATTEMPTS):
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError:
            connection.execute("begin exclusive")
            connection.execute("rollback")
        else:
            return
    connection.execute("pragma journal_mode = wal")


def _rows(
    connection: sqlite3.Connection, sql: OperationSql, values: Parameters
) -> list[Parameters]:
    rows: list[sqlite3.Row] = []
    for statement in sql.statements:
        rows = connection.execute(statement, values).fetchall()
    if rows and rows[0].keys() == ["json_rows"]:
        return json.loads(rows[0]["json_rows"])  # type: ignore[no-any-return]
    return [{name: _decode(name, row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    running = asyncio.get_running_loop().run_in_executor(thread, _translating_errors, work)
    try:
        async with asyncio.timeout(DEADLINE + QUEUE_GRACE):
            # Shielded: an operation that has started is finished, even if its caller is cancelled.
            return await asyncio.shield(running)
    except TimeoutError:
        raise unreachable_error("The SQLite database was busy for too long.") from None


def _translating_errors(work: Callable[[], T]) -> T:
    try:
        return work()
    except PERMANENT_SQLITE_ERRORS as error:
        # SQLite's message names columns at most, never a value.
        raise internal_error(f"SQLite refused an operation: {error}.") from None
    except sqlite3.Error as error:
        raise unreachable_error(f"The SQLite database does not answer: {error}.") from None


def _add_seconds(time: str, seconds: float) -> str:
    return format_utc(datetime.fromisoformat(time) + timedelta(seconds=seconds))


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _lower(text: str | None) -> str | None:
    """Replaces SQLite's own function, which changes only ASCII letters."""
    return None if text is None else text.lower()


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, dict | list):
        return to_json(value).decode()
    return value


def _decode(name: str, value: Any) -> Any:
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
