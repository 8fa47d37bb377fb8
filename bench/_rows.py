"""Connections put straight into a table: as many as are wanted, due or not, with tokens that open.

Only those a benchmark will touch are sealed one by one. What merely fills the table is made by the
database itself and is never due, so nobody ever opens it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from connector.model import Tokens, UserId, bond, stamp
from connector.seal import Seal
from connector.store.sqlite import SQLite

FAMILY = "login_kit"
MANY = 1_000
COLUMNS = (
    "id",
    "user_id",
    "family",
    "subject",
    "status",
    "scopes",
    "accounts",
    "advertiser_lost",
    "sealed",
    "expires_at",
    "verified_at",
    "due_at",
    "version",
    "connected_at",
    "created_at",
    "updated_at",
)
NAMES = ", ".join(COLUMNS)
FILLER = f"""
    insert into connector.connections ({NAMES})
    select
        gen_random_uuid(), gen_random_uuid(), '{FAMILY}', md5(n::text), 'active', '["user.info.basic"]',
        '[]', false, repeat('x', 400), $2::timestamptz, $3::timestamptz, $2::timestamptz, 1,
        $3::timestamptz, $3::timestamptz, $3::timestamptz
    from generate_series(1, $1::integer) n
"""


@dataclass(frozen=True)
class Seeded:
    id: str
    user_id: UserId
    subject: str
    refresh_token: str


def people(count: int, *, start: int = 0, refresh_token: str = "rft") -> list[Seeded]:
    chance = Random(f"{refresh_token}{start}")
    return [
        Seeded(
            id=str(UUID(int=chance.getrandbits(128), version=4)),
            user_id=UserId(str(UUID(int=chance.getrandbits(128), version=4))),
            subject=f"open-id-{number:08}",
            refresh_token=f"{refresh_token}.{number:08}.{'x' * 48}",
        )
        for number in range(start, start + count)
    ]


@dataclass(frozen=True)
class State:
    """When their tokens run out, and when the keeper is to look at them, counted from now."""

    expires_in: timedelta
    due_in: timedelta

    def rows(self, seeded: Sequence[Seeded], seal: Seal) -> list[tuple[object, ...]]:
        return [self._row(each, seal, datetime.now(UTC)) for each in seeded]

    def _row(self, each: Seeded, seal: Seal, now: datetime) -> tuple[object, ...]:
        tokens = Tokens(
            access=SecretStr(f"act{each.refresh_token}"),
            refresh=SecretStr(each.refresh_token),
            expires_at=now + self.expires_in,
            refresh_expires_at=now + timedelta(days=180),
            issued_at=now + self.expires_in - timedelta(hours=2),
        )
        sealed = seal.seal(tokens, bound_to=bond(each.user_id, FAMILY, each.subject))
        return (
            each.id,
            each.user_id,
            FAMILY,
            each.subject,
            "active",
            '["user.info.basic"]',
            "[]",
            False,
            sealed,
            tokens.expires_at,
            now,
            now + self.due_in,
            1,
            now,
            now,
            now,
        )


FRESH = State(expires_in=timedelta(hours=2), due_in=timedelta(hours=1))
DUE = State(expires_in=timedelta(hours=1), due_in=timedelta(hours=-1))
STALE = State(expires_in=timedelta(minutes=2), due_in=timedelta(hours=1))
"""Still alive, but inside the margin: whoever reads it makes it be refreshed."""


def into_sqlite(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    asyncio.run(_laid(path))
    places = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.executemany(
            f"insert into connections ({NAMES}) values ({places})",
            ([stamp(v) if isinstance(v, datetime) else v for v in row] for row in rows),
        )


async def _laid(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    await database.close()


def into_postgres(dsn: str, rows: Sequence[tuple[object, ...]], *, filler: int = 0) -> None:
    asyncio.run(_into_postgres(dsn, rows, filler))


async def _into_postgres(dsn: str, rows: Sequence[tuple[object, ...]], filler: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.copy_records_to_table(
            "connections", schema_name="connector", columns=COLUMNS, records=rows
        )
        if filler:
            now = datetime.now(UTC)
            await connection.execute(FILLER, filler, now + timedelta(days=1), now)
        if len(rows) + filler >= MANY:
            # Now, so that Postgres does not feel like it while something is measured.
            await connection.execute("vacuum analyze connector.connections")
            await connection.execute("checkpoint")
    finally:
        await connection.close()


CALM = "update {} set due_at = null where due_at < {} and holder is null"


def calm_sqlite(path: Path) -> None:
    """Whoever is still due is not any more."""
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.execute(CALM.format("connections", "?"), [stamp(datetime.now(UTC))])


def calm_postgres(dsn: str) -> None:
    asyncio.run(_calm_postgres(dsn))


async def _calm_postgres(dsn: str) -> None:
    link = await asyncpg.connect(dsn)
    await link.execute(CALM.format("connector.connections", "$1"), datetime.now(UTC))
    await link.close()
