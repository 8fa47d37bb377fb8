"""SQLite, the store that is simply there.

Reading and writing go separate ways. A block made only of selects runs at once on the loop's own
connection: with the write-ahead log no writer can make it wait, and a thread would cost more than
the read. Everything else goes to one writing thread, begins immediately and is synced before it is
answered: a token that TikTok has rotated must survive a power cut. Other processes may use the
same file.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from connector.errors import StoreUnreachable
from connector.model import stamp

HEADER = re.compile(r"^-- (\w+) \(([\w, ]*)\)$", re.MULTILINE)
JSON_COLUMNS = frozenset(
    {"scopes", "accounts", "chosen", "failure", "answer", "known", "detail"},
)
BUSY_SECONDS = 5.0
OPENERS = 20

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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def open(self) -> None:
        self._writer = await self._in_thread(self._connect)
        await self._in_thread(self._lay_tables)
        self._reader = self._connect()

    async def call(self, operation: str, **arguments: Any) -> list[Values]:
        block = self._blocks[operation]
        values = {name: _stored(value) for name, value in arguments.items()}
        if block.only_reads:
            return _answered(lambda: _rows(self._reader, block, values))
        # A write once begun is finished, whatever becomes of the one who asked for it.
        return await asyncio.shield(self._in_thread(lambda: self._write(block, values)))

    async def close(self) -> None:
        await self._in_thread(self._writer.close)
        self._reader.close()
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: _answered(work))

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
        self._write(self._blocks["tables"], {})

    def _write(self, block: Block, values: Values) -> list[Values]:
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


def _answered(work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as failure:
        raise StoreUnreachable(f"The SQLite database does not answer: {failure}.") from None


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value


def _loaded(name: str, value: Any) -> Any:
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value
