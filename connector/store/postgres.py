"""PostgreSQL: calls the functions of `sql/functions/` directly, which is faster than through PostgREST.

The service uses no session state. So the address may be that of a pooler which gives each transaction
another server connection (Supabase's on port 6543, PgBouncer). Behind a pooler statements have no names,
because a name may already belong to another replica's statement, which would run instead. An unnamed
statement needs a second round trip. So the first connection detects a pooler, unless the address names it.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import asyncpg
from pydantic import SecretStr
from pydantic_core import to_json

from .database_errors import error_for_code, misconfigured_error, unreachable_error
from .postgres_address import address_for_asyncpg

DEADLINE = 10.0
CANCEL_GRACE = 1.0
MAX_CONNECTIONS = 16
NAMED_STATEMENTS = 100

POOLER_URL = re.compile(r":6543(?:/|$)|[?&]pgbouncer=true")
CONNECTION_ERRORS = (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""A connection that is lost may also raise an internal error of asyncpg's state machine."""

BUILT_IN = "pg_catalog"

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class Postgres:
    name = "postgres"

    def __init__(self, dsn: SecretStr) -> None:
        self._dsn = dsn
        self._behind_pooler: bool | None = None

    async def open(self) -> None:
        """Creates the pool without a connection. The first call connects, as with Supabase."""
        self._pool = await asyncpg.create_pool(
            address_for_asyncpg(self._dsn.get_secret_value()),
            min_size=0,
            max_size=MAX_CONNECTIONS,
            connect=self._connect,
            reset=_skip_reset,
        )

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(DEADLINE):
                rows = await self._fetch(_statement(operation, *arguments), *arguments.values())
        except asyncpg.PostgresError as error:
            raise error_for_code(error.sqlstate or "") from None
        except asyncpg.ClientConfigurationError:
            raise misconfigured_error("SUPABASE_DB_URL is not a PostgreSQL address.") from None
        except CONNECTION_ERRORS as error:
            raise unreachable_error(_connection_problem(error)) from None
        return [dict(row) for row in rows]

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await self._pool.close()

    async def _fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        connection = await self._pool.acquire()
        try:
            return await connection.fetch(statement, *values)
        finally:
            # asyncpg first cancels an interrupted statement at the server, if the server still responds.
            with suppress(TimeoutError):
                await self._pool.release(connection, timeout=CANCEL_GRACE)

    async def _connect(self, dsn: str | None = None, **options: Any) -> Connection:
        if self._behind_pooler is None:
            from_address = POOLER_URL.search(self._dsn.get_secret_value())
            self._behind_pooler = bool(from_address) or await _detect_pooler(dsn)
        size = 0 if self._behind_pooler else NAMED_STATEMENTS
        connection: Connection = await asyncpg.connect(
            dsn, statement_cache_size=size, max_cached_statement_lifetime=0, **options
        )
        await connection.set_type_codec(
            "jsonb", schema=BUILT_IN, encoder=_encode, decoder=json.loads
        )
        await connection.set_type_codec("uuid", schema=BUILT_IN, encoder=str, decoder=str)
        return connection


async def _detect_pooler(dsn: str | None) -> bool:
    """Compares two process ids. A pooler reports its own id at connect time, and a statement returns
    the id of the server process."""
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        return bool(
            connection.get_server_pid() != await connection.fetchval("select pg_backend_pid()")
        )
    finally:
        connection.terminate()


def _encode(value: Any) -> str:
    return to_json(value).decode()


async def _skip_reset(connection: Connection) -> None:
    """Does nothing: no session state exists, and a reset would double the round trips."""


def _connection_problem(error: BaseException) -> str:
    if "rejected SSL upgrade" in str(error):
        return "Postgres offers no TLS, so the password was not sent: check the host in SUPABASE_DB_URL."
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "The certificate of Postgres is not valid for SUPABASE_DB_URL: check its sslrootcert."
        )
    return f"Postgres does not answer ({type(error).__name__})."


@cache
def _statement(operation: str, *names: str) -> str:
    values = ", ".join(f"p_{name} => ${number}" for number, name in enumerate(names, 1))
    return f"select * from public.connector_{operation}({values})"  # noqa: S608 (names from this package, no values)
