"""Events written past the service, like another replica: the service learns of them only from the database."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from connector.model import format_utc

COLUMNS = ("id", "type", "connection_id", "user_id", "data", "created_at")
INSERT = f"insert into events ({', '.join(COLUMNS)}) values (?, ?, ?, ?, ?, ?)"
STEP_SECONDS = 0.05
"""Events that are written at a rate are written in small transactions."""


def event_data(number: int) -> dict[str, object]:
    """Data as the database writes them when an account was connected."""
    return {
        "connection": {
            "id": str(UUID(int=number)),
            "user_id": str(UUID(int=number + 1)),
            "family": "login_kit",
            "tiktok_user_id": f"open-id-{number:08}",
            "status": "active",
            "account": {"id": f"open-id-{number:08}", "name": "Anna"},
            "advertiser": None,
            "advertiser_lost": False,
        },
        "reason": None,
    }


class EventWriter:
    def __init__(self, path: Path | None, dsn: str) -> None:
        """`path` is the SQLite file; None means Postgres."""
        self._path = path
        self._dsn = dsn

    def write(self, count: int) -> None:
        """Writes all events in one transaction."""
        if self._path is not None:
            _insert_into_sqlite(self._path, _new_rows(count))
        else:
            asyncio.run(self._copy(_new_rows(count)))

    def write_at_rate(self, rate: float, seconds: float) -> int:
        """Returns the number of events that were written."""
        started, written = time.monotonic(), 0
        while (elapsed := time.monotonic() - started) < seconds:
            wanted = int(rate * elapsed)
            if wanted > written:
                self.write(wanted - written)
                written = wanted
            time.sleep(STEP_SECONDS)
        return written

    async def _copy(self, rows: Sequence[tuple[object, ...]]) -> None:
        connection = await asyncpg.connect(self._dsn)
        await connection.copy_records_to_table(
            "events", schema_name="connector", columns=COLUMNS, records=rows
        )
        await connection.close()


def _new_rows(count: int) -> list[tuple[object, ...]]:
    return [
        (
            str(uuid4()),
            "connection.connected",
            str(UUID(int=number)),
            str(UUID(int=number + 1)),
            json.dumps(event_data(number)),
            datetime.now(UTC),
        )
        for number in range(count)
    ]


def _insert_into_sqlite(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    values = [[format_utc(v) if isinstance(v, datetime) else v for v in row] for row in rows]
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.executemany(INSERT, values)
