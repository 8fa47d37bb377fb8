"""SQLite, the store that is simply there.

Three ways in, each with a connection of its own. The quick reads, which look at a row or two, run at
once on the loop: with the write-ahead log no writer can make them wait, and a thread would cost more
than the read. The reads that may look at every row go to a reading thread, or everybody would wait
for one person's chart. Everything else goes to one writing thread, begins immediately and is synced
before it is answered: a token that TikTok has rotated must survive a power cut. Whoever waits, for
the thread or for the file, waits no longer than the deadline; what began before it is finished.
Other processes may use the same file.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from connector.model import stamp

from .refusals import broken, unreachable

HEADER = re.compile(r"^-- (\w+) \(([\w, ]*)\)$", re.MULTILINE)
JSON_COLUMNS = frozenset(
    {"scopes", "accounts", "chosen", "failure", "answer", "known", "detail"},
)
QUICK = frozenset({"ready", "connection", "read_tokens", "find_token", "attempts"})
DEADLINE = 10.0
GRACE = 1.0
BUSY_SECONDS = 5.0
PROOF_SECONDS = 5.0
OPENERS = 20

OURS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What asking again would not change; the rest is the file, the disk or a neighbour."""

Values = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    arguments: tuple[str, ...]
    statements: tuple[str, ...]

    @property
    def only_reads(self) -> bool:
        return all(statement.startswith("select") for statement in self.statements)


def blocks(text: str) -> dict[str, Block]:
    _, *parts = HEADER.split(text)
    return {
        name: Block(tuple(arguments.replace(",", " ").split()), _statements(body))
        for name, arguments, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def _statements(body: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in body.split(";\n") if part.strip())


class SQLite:
    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = blocks(resources.files(__package__).joinpath("sqlite.sql").read_text())
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="sqlite-read")
        self._proven_until = 0.0

    async def open(self) -> None:
        self._writer = await _in_thread(self._writing, self._connect)
        await _in_thread(self._writing, self._lay_tables)
        self._reader = await _in_thread(self._reading, self._connect)
        self._quick = self._connect()

    async def call(self, operation: str, **arguments: Any) -> list[Values]:
        block = self._blocks[operation]
        values = {name: _stored(value) for name, value in arguments.items()}
        if operation == "ready":
            await self._prove()
        if operation in QUICK:
            return _answered(lambda: _rows(self._quick, block, values))
        if block.only_reads:
            return await _in_time(self._reading, lambda: _rows(self._reader, block, values))
        return await self._written(block, values)

    async def close(self) -> None:
        await _in_thread(self._writing, self._writer.close)
        await _in_thread(self._reading, self._reader.close)
        self._quick.close()
        self._writing.shutdown()
        self._reading.shutdown()

    async def _written(self, block: Block, values: Values) -> list[Values]:
        due = time.monotonic() + DEADLINE
        return await _in_time(self._writing, lambda: self._write(block, values, due=due))

    async def _prove(self) -> None:
        """Ready means that we can write, too: on a full disk every read is still well."""
        if time.monotonic() >= self._proven_until:
            await self._written(self._blocks["prove"], {})
            self._proven_until = time.monotonic() + PROOF_SECONDS

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        _log_ahead(connection)
        connection.execute("pragma synchronous = full")
        return connection

    def _lay_tables(self) -> None:
        self._path.chmod(0o600)
        self._write(self._blocks["tables"], {}, due=time.monotonic() + DEADLINE)

    def _write(self, block: Block, values: Values, *, due: float) -> list[Values]:
        left = due - time.monotonic()
        if left <= 0:
            raise unreachable("The SQLite database was busy for too long.")
        self._writer.execute(f"pragma busy_timeout = {left * 1000:.0f}")
        self._writer.execute("begin immediate")
        try:
            rows = _rows(self._writer, block, values)
            self._writer.execute("commit")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise
        return rows


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Several may open a new file at once, and this is the one lock SQLite does not wait for."""
    for _ in range(OPENERS):
        try:
            connection.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError:
            connection.execute("begin exclusive")
            connection.execute("rollback")
        else:
            return
    connection.execute("pragma journal_mode = wal")


def _rows(connection: sqlite3.Connection, block: Block, values: Values) -> list[Values]:
    rows: list[sqlite3.Row] = []
    for statement in block.statements:
        rows = connection.execute(statement, values).fetchall()
    return [{name: _loaded(name, row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118


async def _in_time(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        async with asyncio.timeout(DEADLINE + GRACE):
            # Shielded: what has begun is finished, whatever becomes of the one who asked for it.
            return await asyncio.shield(_in_thread(thread, work))
    except TimeoutError:
        raise unreachable("The SQLite database was busy for too long.") from None


def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(thread, lambda: _answered(work))


def _answered(work: Callable[[], T]) -> T:
    try:
        return work()
    except OURS as failure:
        # Its own words name columns at most, never a value.
        raise broken(f"SQLite refused an operation: {failure}.") from None
    except sqlite3.Error as failure:
        raise unreachable(f"The SQLite database does not answer: {failure}.") from None


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value


def _loaded(name: str, value: Any) -> Any:
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
