"""Connections inserted straight into a table: any number, due or not, with tokens that can be decrypted.

Only the tokens that a benchmark uses are encrypted, one by one. The database itself generates the rows
that only fill the table; they are never due, so nothing decrypts them.
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

from connector.encryption import TokenCipher, connection_associated_data
from connector.model import Tokens, UserId, format_utc
from connector.store.sqlite import SQLite

FAMILY = "login_kit"
VACUUM_FROM_ROWS = 1_000
COLUMNS = (
    "id",
    "user_id",
    "family",
    "tiktok_user_id",
    "status",
    "scopes",
    "accounts",
    "advertiser_lost",
    "encrypted_tokens",
    "expires_at",
    "verified_at",
    "due_at",
    "token_version",
    "granted_at",
    "connected_at",
    "created_at",
    "updated_at",
)
COLUMN_LIST = ", ".join(COLUMNS)
INSERT_FILLER = f"""
    insert into connector.connections ({COLUMN_LIST})
    select
        gen_random_uuid(), gen_random_uuid(), '{FAMILY}', md5(n::text), 'active', '["user.info.basic"]',
        '[]', false, repeat('x', 400), $2::timestamptz, $3::timestamptz, $2::timestamptz, 1,
        $3::timestamptz, $3::timestamptz, $3::timestamptz, $3::timestamptz
    from generate_series(1, $1::integer) n
"""


@dataclass(frozen=True)
class BenchConnection:
    id: str
    user_id: UserId
    tiktok_user_id: str
    refresh_token: str


def make_connections(
    count: int, *, start: int = 0, refresh_token: str = "rft"
) -> list[BenchConnection]:
    random = Random(f"{refresh_token}{start}")
    return [
        BenchConnection(
            id=str(UUID(int=random.getrandbits(128), version=4)),
            user_id=UserId(str(UUID(int=random.getrandbits(128), version=4))),
            tiktok_user_id=f"open-id-{number:08}",
            refresh_token=f"{refresh_token}.{number:08}.{'x' * 48}",
        )
        for number in range(start, start + count)
    ]


@dataclass(frozen=True)
class TokenState:
    """When tokens expire and when their background refresh is due, counted from now."""

    expires_in: timedelta
    due_in: timedelta

    def rows(
        self, connections: Sequence[BenchConnection], cipher: TokenCipher
    ) -> list[tuple[object, ...]]:
        return [self._row(connection, cipher, datetime.now(UTC)) for connection in connections]

    def _row(
        self, connection: BenchConnection, cipher: TokenCipher, now: datetime
    ) -> tuple[object, ...]:
        tokens = Tokens(
            access=SecretStr(f"act{connection.refresh_token}"),
            refresh=SecretStr(connection.refresh_token),
            expires_at=now + self.expires_in,
            refresh_expires_at=now + timedelta(days=180),
            issued_at=now + self.expires_in - timedelta(hours=2),
        )
        encrypted = cipher.encrypt_tokens(
            tokens,
            associated_data=connection_associated_data(
                connection.user_id, FAMILY, connection.tiktok_user_id
            ),
        )
        return (
            connection.id,
            connection.user_id,
            FAMILY,
            connection.tiktok_user_id,
            "active",
            '["user.info.basic"]',
            "[]",
            False,
            encrypted,
            tokens.expires_at,
            now,
            now + self.due_in,
            1,
            now,
            now,
            now,
            now,
        )


FRESH = TokenState(expires_in=timedelta(hours=2), due_in=timedelta(hours=1))
DUE = TokenState(expires_in=timedelta(hours=1), due_in=timedelta(hours=-1))
STALE = TokenState(expires_in=timedelta(minutes=2), due_in=timedelta(hours=1))
"""Valid, but inside the refresh margin: a read triggers a refresh."""


def insert_into_sqlite(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    asyncio.run(_create_tables(path))
    placeholders = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.executemany(
            f"insert into connections ({COLUMN_LIST}) values ({placeholders})",
            ([_to_sqlite(value) for value in row] for row in rows),
        )


def _to_sqlite(value: object) -> object:
    return format_utc(value) if isinstance(value, datetime) else value


async def _create_tables(path: Path) -> None:
    database = SQLite(path)
    await database.open()
    await database.close()


def insert_into_postgres(dsn: str, rows: Sequence[tuple[object, ...]], *, filler: int = 0) -> None:
    asyncio.run(_insert_into_postgres(dsn, rows, filler))


async def _insert_into_postgres(dsn: str, rows: Sequence[tuple[object, ...]], filler: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.copy_records_to_table(
            "connections", schema_name="connector", columns=COLUMNS, records=rows
        )
        if filler:
            now = datetime.now(UTC)
            await connection.execute(INSERT_FILLER, filler, now + timedelta(days=1), now)
        if len(rows) + filler >= VACUUM_FROM_ROWS:
            # Now, so that autovacuum and a checkpoint do not run during a measurement.
            await connection.execute("vacuum analyze connector.connections")
            await connection.execute("checkpoint")
    finally:
        await connection.close()


CLEAR_DUE = "update {} set due_at = null where due_at < {} and lease_owner is null"


def clear_due_in_sqlite(path: Path) -> None:
    """No connection is due afterwards, except those with a lease."""
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.execute(CLEAR_DUE.format("connections", "?"), [format_utc(datetime.now(UTC))])


def clear_due_in_postgres(dsn: str) -> None:
    asyncio.run(_clear_due_in_postgres(dsn))


async def _clear_due_in_postgres(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(CLEAR_DUE.format("connector.connections", "$1"), datetime.now(UTC))
    await connection.close()
