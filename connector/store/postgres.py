"""Postgres: the functions of sql/002_functions.sql straight over the wire, the fast lane.

Nothing of ours stays in a session, so a pooler that gives each transaction another server
connection may stand between (Supabase's on port 6543, PgBouncer). Behind one, statements have no
names: there a name may already belong to another replica's statement, which would then be run in
place of ours. That costs a second round trip, so where the address does not tell, we ask.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from pydantic import SecretStr

from .refusals import misconfigured, refusal, unreachable

DEADLINE = 10.0
GRACE = 1.0
CONNECTIONS = 16
NAMED_STATEMENTS = 100

POOLED = re.compile(r":6543(?:/|$)|[?&]pgbouncer=true")
FOR_PRISMA = {"pgbouncer", "connection_limit", "pool_timeout"}
"""Parameters in the addresses Supabase offers for copying that Postgres itself does not know."""

GONE = (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""A connection cut at the wrong moment also shows as asyncpg not knowing what state it is in."""

BUILT_IN = "pg_catalog"

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class Postgres:
    name = "postgres"

    def __init__(self, dsn: SecretStr) -> None:
        self._dsn = dsn
        self._pooled: bool | None = None

    async def open(self) -> None:
        """Connects to nobody yet: as with Supabase, the first call finds out who is there."""
        self._pool = await asyncpg.create_pool(
            _address(self._dsn.get_secret_value()),
            min_size=0,
            max_size=CONNECTIONS,
            connect=self._connect,
            reset=_leave_as_is,
        )

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(DEADLINE):
                rows = await self._fetch(_statement(operation, *arguments), *arguments.values())
        except asyncpg.PostgresError as failure:
            raise refusal(failure.sqlstate or "") from None
        except asyncpg.ClientConfigurationError:
            raise misconfigured("SUPABASE_DB_URL is not an address of a Postgres.") from None
        except GONE as failure:
            raise unreachable(f"Postgres does not answer ({type(failure).__name__}).") from None
        return [dict(row) for row in rows]

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                await self._pool.close()

    async def _fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        link = await self._pool.acquire()
        try:
            return await link.fetch(statement, *values)
        finally:
            # A statement that was cut is first called off at the server, if that still answers.
            with suppress(TimeoutError):
                await self._pool.release(link, timeout=GRACE)

    async def _connect(self, dsn: str | None = None, **given: Any) -> Connection:
        if self._pooled is None:
            told = POOLED.search(self._dsn.get_secret_value())
            self._pooled = bool(told) or await _is_pooled(dsn)
        size = 0 if self._pooled else NAMED_STATEMENTS
        link: Connection = await asyncpg.connect(
            dsn, statement_cache_size=size, max_cached_statement_lifetime=0, **given
        )
        await link.set_type_codec("jsonb", schema=BUILT_IN, encoder=json.dumps, decoder=json.loads)
        await link.set_type_codec("uuid", schema=BUILT_IN, encoder=str, decoder=str)
        return link


async def _is_pooled(dsn: str | None) -> bool:
    """A pooler greets with a process id of its own making; a statement is told the true one."""
    link = await asyncpg.connect(dsn, statement_cache_size=0)
    try:
        return bool(link.get_server_pid() != await link.fetchval("select pg_backend_pid()"))
    finally:
        link.terminate()


async def _leave_as_is(link: Connection) -> None:
    """There is no session state to clear, and clearing it would double the round trips."""


def _address(dsn: str) -> str:
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    if not query.keys() & FOR_PRISMA:
        return dsn
    kept = {name: value for name, value in query.items() if name not in FOR_PRISMA}
    return parts._replace(query=urlencode(kept)).geturl()


@cache
def _statement(operation: str, *names: str) -> str:
    values = ", ".join(f"p_{name} => ${place}" for place, name in enumerate(names, 1))
    return f"select * from public.connector_{operation}({values})"  # noqa: S608 (names of ours, no values)
