"""Postgres uses an index wherever one exists, also while the tables are small.

A function keeps the plan of its first calls. A plan that reads a small table whole would stay in use when
the table has grown.
"""

from __future__ import annotations

import asyncio

from connector.store import AuditFilter
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .builders import MINUTE as LEASE
from .builders import (
    SHOP,
    acquire_lease,
    apply,
    audit_entry,
    claim_code,
    connection_upsert,
    lease_due,
    new_user_id,
    outcome,
    select,
)
from .conftest import open_store, postgres

SCANS_AND_INSERTS = """
    select sum(seq_scan)::integer as scans, sum(n_tup_ins)::integer as inserts
    from pg_stat_user_tables
    where relname in ('codes', 'connections', 'user_accounts', 'audit')
"""
REPETITIONS = 3


async def call_operations(stack: Stack) -> None:
    """Uses separate sessions, because a session reports its statistics to Postgres when it ends."""
    async with open_store(postgres(stack)) as store:
        for _ in range(REPETITIONS):
            user, code_hash = new_user_id(), new_user_id()
            upsert = connection_upsert(user, code_hash, selected_advertiser=SHOP)
            await claim_code(store, code_hash, user)
            await store.upsert_connection(upsert, now=NOON)
            assert await select(store, upsert.id, SHOP)
            await store.get_stored_tokens(upsert.id)
            await store.find_stored_tokens(user, "marketing")
            await acquire_lease(store, upsert.id)
            await store.release_leases(["another owner"], now=NOON, max_lease=LEASE)
            assert await apply(store, outcome(upsert.id, due_at=NOON))
            assert await lease_due(store, max_rows=1)
            assert await store.get_connection(upsert.id)
            assert await store.list_attempts(upsert.id)
            await store.mark_disconnected(upsert.id, now=NOON)
            await store.add_audit_entries([audit_entry(connection_id=upsert.id, user_id=user)])
            for matching in (
                AuditFilter(),
                AuditFilter(connection_id=upsert.id),
                AuditFilter(user_id=user),
                AuditFilter(actor="billing"),
            ):
                assert await store.list_audit_entries(matching, before=None, max_rows=10)
            await store.delete_old_audit_entries(before=NOON - LEASE)


async def table_scans_after_calls(stack: Stack) -> int:
    [before] = stack.sql(SCANS_AND_INSERTS)
    await call_operations(stack)
    while True:
        [now] = stack.sql(SCANS_AND_INSERTS)
        if now["inserts"] >= before["inserts"] + 4 * REPETITIONS:
            return int(now["scans"])
        await asyncio.sleep(0.01)


async def test_no_operation_on_one_row_reads_a_whole_table(stack: Stack) -> None:
    stack.truncate()
    await call_operations(stack)
    stack.script("analyze connector.codes; analyze connector.connections")
    stack.script("analyze public.user_accounts; select pg_stat_force_next_flush()")
    assert await table_scans_after_calls(stack) == await table_scans_after_calls(stack)
