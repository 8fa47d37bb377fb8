"""A PostgreSQL database that counts the rows that each operation reads, and fills its tables."""

from __future__ import annotations

from typing import Any

from connector.store.postgres import Postgres
from tests.supabase_stack import Stack

ROWS_READ = """
    select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::integer
    from pg_stat_xact_all_tables
    where schemaname in ('connector', 'public')
"""

FILL_CONNECTIONS = """
    insert into connector.connections (
        id, user_id, family, tiktok_user_id, status, scopes, accounts, selected_advertiser,
        advertiser_lost, due_at, token_version, granted_at, connected_at, created_at, updated_at
    )
    select
        md5('id' || n)::uuid, 'user-' || n,
        case when n % 2 = 0 then 'marketing' else 'login_kit' end, 'open-' || n,
        case
            when n % 1000 = 0 then 'reconnect_required'
            when n % 1000 = 1 then 'refresh_failing'
            when n % 10 = 2 then 'revoked'
            else 'active'
        end,
        '[]', jsonb_build_array(jsonb_build_object(
            'id', 'account-' || n, 'name', 'Person ' || md5(n::text),
            'kind', case when n % 2 = 0 then 'advertiser' else 'profile' end
        )),
        case when n % 2 = 0 then jsonb_build_object('id', 'shop-' || n, 'name', 'Shop ' || n) end,
        false, '2027-01-01', 1, '2026-01-01', '2026-01-01'::timestamptz + n * interval '1 second',
        '2026-01-01', '2026-01-01'
    from generate_series({first}, {last}) n
"""
FILL_HISTORY = (
    """
    insert into connector.codes (code_hash, state_hash, user_id, family, claimed_by, claimed_until, created_at)
    select
        'code-' || n, 'state-' || n, 'user-' || n, 'marketing', 'owner', '2026-01-01',
        '2026-11-20 12:00 UTC'::timestamptz - n * interval '1 millisecond'
    from generate_series({first}, {last}) n
    """,
    """
    insert into connector.events (seq, type, connection_id, user_id, data, created_at)
    select
        n, 'connection.connected', md5('id' || n)::uuid, 'user-' || n, '{{}}',
        '2026-11-20 11:00 UTC'::timestamptz + n * interval '1 millisecond'
    from generate_series({first}, {last}) n
    """,
    """
    insert into connector.attempts (
        connection_id, at, operation, actor, result, message, duration_ms
    )
    select
        md5('id' || n / 50)::uuid, '2026-11-20 12:00 UTC'::timestamptz - n * interval '1 millisecond', 'refresh',
        'background', 'ok', '', 5
    from generate_series({first}, {last}) n
    """,
)
FILL_STEP = 50_000
"""One statement must end within the deadline of the test's connection."""


def fill(stack: Stack, statement: str, rows: int) -> None:
    """Inserts rows with the numbers 1 to `rows`."""
    for first in range(1, rows + 1, FILL_STEP):
        stack.script(statement.format(first=first, last=min(first + FILL_STEP - 1, rows)))


def fill_connections(stack: Stack, rows: int) -> None:
    fill(stack, FILL_CONNECTIONS, rows)
    stack.script("analyze connector.connections")


def fill_history(stack: Stack, rows: int) -> None:
    """All rows are from the last hour before noon, events in this order. Each connection has 50 attempts."""
    for statement in FILL_HISTORY:
        fill(stack, statement, rows)
    fill_connections(stack, 100)
    stack.script("analyze connector.codes; analyze connector.events; analyze connector.attempts")


class CountingPostgres(Postgres):
    rows_read = 0
    """The rows that the last operation read from the tables."""

    async def _fetch(self, statement: str, *values: Any) -> list[Any]:
        async with self._pool.acquire() as connection, connection.transaction():
            # The numbers may include an earlier transaction of the same session.
            before = await connection.fetchval(ROWS_READ)
            rows = await connection.fetch(statement, *values)
            self.rows_read = await connection.fetchval(ROWS_READ) - before
        return list(rows)
