"""The leases of processes that have ended are released; all other leases stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from connector.store import Store
from connector.store.sqlite import SQLite, load_operations
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .builders import (
    HOUR,
    MINUTE,
    OTHER_OWNER,
    OWNER,
    SHOP,
    acquire_lease,
    apply,
    connect,
    lease_due,
    outcome,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest, open_store

LATER = NOON + HOUR


async def release(store: Store, owners: Sequence[str] = (OWNER,), *, now: datetime = NOON) -> int:
    return await store.release_leases(owners, now=now, max_lease=MINUTE)


async def due_at(store: Store, connection_id: str) -> datetime | None:
    return (await stored_connection(store, connection_id)).due_at


async def test_a_released_connection_can_be_leased_immediately(store: Store) -> None:
    id = await connect(store, due_at=LATER)
    await acquire_lease(store, id)
    assert await release(store) == 1
    assert await due_at(store, id) == NOON
    assert await acquire_lease(store, id, owner=OTHER_OWNER) == await stored_tokens(store, id)


async def test_a_released_connection_is_due_for_the_background(store: Store) -> None:
    id = await connect(store)
    await lease_due(store)
    await release(store)
    [leased] = await lease_due(store, owner=OTHER_OWNER)
    assert leased.connection_id == id


async def test_one_call_releases_all_leases_of_several_owners(store: Store) -> None:
    for owner in (OWNER, OWNER, OTHER_OWNER, "owner-3"):
        await acquire_lease(store, await connect(store), owner=owner)
    assert await release(store, [OWNER, OTHER_OWNER]) == 3
    assert await release(store, [OWNER, OTHER_OWNER]) == 0


async def test_the_lease_of_a_running_owner_is_not_released(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id, owner="running")
    assert await release(store, [OWNER, OTHER_OWNER]) == 0
    assert await acquire_lease(store, id, owner=OTHER_OWNER) is None
    assert await due_at(store, id) == NOON + MINUTE


async def test_only_leases_that_end_within_the_longest_lease_are_released(store: Store) -> None:
    """The bound lets the databases find the leases with the index on due_at."""
    short, long = await connect(store), await connect(store)
    await acquire_lease(store, short)
    await store.acquire_refresh_lease(long, token_version=1, owner=OWNER, now=NOON, lease=HOUR)
    assert await release(store) == 1
    assert await acquire_lease(store, long, owner=OTHER_OWNER) is None


async def test_a_lease_that_another_owner_took_over_is_not_released(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE)
    assert await release(store, now=NOON + MINUTE) == 0


async def test_releasing_leases_does_not_change_the_due_time_of_an_applied_outcome(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, encrypted_tokens="second", due_at=NOON + MINUTE / 2))
    assert await release(store) == 0
    assert await due_at(store, id) == NOON + MINUTE / 2


async def test_an_expired_lease_is_not_released_and_the_due_time_of_its_connection_does_not_change(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    assert await release(store, now=NOON + MINUTE) == 0
    assert await due_at(store, id) == NOON + MINUTE


async def test_a_connection_that_was_disconnected_during_its_lease_is_due_when_released(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await store.mark_disconnected(id, now=NOON)
    assert await lease_due(store) == []
    await release(store)
    [leased] = await lease_due(store, owner=OTHER_OWNER)
    assert leased.connection_id == id
    assert (leased.status, leased.encrypted_tokens) == ("revoked", "first")


async def test_releasing_a_lease_changes_nothing_else_of_a_connection(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    before = database.rows("connections")
    await acquire_lease(store, id)
    await release(store)
    assert database.rows("connections") == before
    assert database.event_types() == ["connected"]


async def test_new_tokens_are_stored_although_their_owners_lease_was_released_by_mistake(
    store: Store,
) -> None:
    """A copied journal file names a running owner. Versions protect the tokens, leases do not."""
    id = await connect(store)
    await acquire_lease(store, id)
    await release(store)
    await acquire_lease(store, id, owner=OTHER_OWNER)
    assert await apply(store, outcome(id, encrypted_tokens="second")) == {id}
    ended_outcome = outcome(id, lease_owner=OTHER_OWNER, status="reconnect_required")
    assert await apply(store, ended_outcome) == set()
    assert (await stored_tokens(store, id)).status == "active"


@pytest.mark.parametrize("database", ["supabase", "postgres"], indirect=True)
async def test_a_row_that_another_transaction_has_locked_keeps_its_lease_and_delays_no_other(
    store: Store, stack: Stack
) -> None:
    locked, other = await connect(store), await connect(store)
    for id in (locked, other):
        await acquire_lease(store, id)
    blocker = await asyncpg.connect(stack.dsn)
    async with blocker.transaction():
        await blocker.execute("select from connector.connections where id = $1 for update", locked)
        assert await release(store) == 1
    await blocker.close()
    assert (await due_at(store, locked), await due_at(store, other)) == (NOON + MINUTE, NOON)


async def test_sqlite_finds_the_leases_with_the_index_on_due_at(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "connector.db")
    [statement] = load_operations()["release_leases"].statements
    values = {"owners": '["one"]', "now": "2026", "max_lease_seconds": 60.0}
    async with open_store(database):
        [first_step, *_] = database._loop_reader.execute(f"explain query plan {statement}", values)
    assert "connections_due (due_at>? AND due_at<?)" in first_step["detail"]
