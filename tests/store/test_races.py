"""Many concurrent callers, over several real connections and processes."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from json import dumps
from pathlib import Path

import pytest

from connector.store import AnsweredCode, Store
from connector.store.sqlite import SQLite
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .builders import (
    BAR,
    HOUR,
    MINUTE,
    SHOP,
    acquire_lease,
    apply,
    claim_code,
    connect,
    connection_upsert,
    lease_due,
    new_user_id,
    outcome,
    select,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest, open_store
from .other_replica import on_postgres, uncommitted, until_it_waits


async def lease_all_due(store: Store, owner: str, *, batch_size: int = 7) -> list[str]:
    ids: list[str] = []
    while leased := await lease_due(store, owner=owner, max_rows=batch_size):
        ids += [stored.connection_id for stored in leased]
    return ids


async def connect_many(store: Store, count: int) -> set[str]:
    limit = asyncio.Semaphore(32)

    async def connect_one() -> str:
        async with limit:
            return await connect(store)

    return set(await asyncio.gather(*(connect_one() for _ in range(count))))


def assert_leased_once_each(ids: set[str], leased: Sequence[Sequence[str]]) -> None:
    counts = Counter(id for part in leased for id in part)
    assert set(counts) == ids
    assert set(counts.values()) == {1}


async def test_no_due_connection_is_leased_by_two_owners(database: DatabaseUnderTest) -> None:
    stores = [await database.open_store() for _ in range(4)]
    ids = await connect_many(stores[0], 200)
    leased = await asyncio.gather(*(lease_all_due(stores[n % 4], str(n)) for n in range(8)))
    assert_leased_once_each(ids, leased)


def lease_all_due_in_a_process(path: Path, owner: str) -> list[str]:
    async def lease_all() -> list[str]:
        async with open_store(SQLite(path)) as store:
            return await lease_all_due(store, owner, batch_size=1)

    return asyncio.run(lease_all())


async def test_several_processes_lease_from_one_sqlite_file_without_overlap(
    tmp_path: Path,
) -> None:
    path = tmp_path / "connector.db"
    async with open_store(SQLite(path)) as store:
        ids = await connect_many(store, 200)
        with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
            results = [pool.submit(lease_all_due_in_a_process, path, str(n)) for n in range(3)]
            leased = await asyncio.gather(*map(asyncio.wrap_future, results))
    assert_leased_once_each(ids, leased)


async def test_several_processes_can_create_the_same_sqlite_file_concurrently(
    tmp_path: Path,
) -> None:
    path = tmp_path / "connector.db"
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        results = [pool.submit(lease_all_due_in_a_process, path, str(n)) for n in range(4)]
        assert [result.result() for result in results] == [[], [], [], []]


async def test_of_concurrent_outcomes_for_the_same_tokens_one_is_applied(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(4)]
    id = await connect(stores[0])
    outcomes = [outcome(id, encrypted_tokens=f"{n}", lease_owner=f"{n}") for n in range(16)]
    results = await asyncio.gather(
        *(apply(stores[n % 4], refreshed) for n, refreshed in enumerate(outcomes))
    )
    [applied] = [n for n, ids in enumerate(results) if ids]
    stored = await stored_tokens(stores[0], id)
    assert (stored.encrypted_tokens, stored.token_version) == (f"{applied}", 2)


async def test_overlapping_batches_of_outcomes_do_not_deadlock(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(4)]
    ids = sorted(await connect_many(stores[0], 40))
    orders = [ids, ids[::-1], ids[20:] + ids[:20], ids[::2] + ids[1::2]]
    batches = [
        [outcome(id, encrypted_tokens="new", lease_owner=f"{n}") for id in order]
        for n, order in enumerate(orders)
    ]
    results = await asyncio.gather(
        *(apply(store, *batch) for store, batch in zip(stores, batches, strict=True))
    )
    assert Counter(id for applied in results for id in applied) == Counter(ids)


async def test_64_concurrent_users_each_get_their_own_results(database: DatabaseUnderTest) -> None:
    store = await database.open_store()

    async def connect_and_refresh(number: int) -> None:
        user, tokens = new_user_id(), f"{number}, new"
        id = await connect(store, user, encrypted_tokens=f"{number}")
        assert await acquire_lease(store, id) is not None
        claim = await claim_code(store, f"{number}", user, claimed_by="another owner")
        assert not isinstance(claim, AnsweredCode)
        refreshed = outcome(id, encrypted_tokens=tokens, due_at=NOON + HOUR)
        assert await apply(store, refreshed) == {id}
        found = await store.find_stored_tokens(user, "marketing")
        assert found is not None
        assert found.encrypted_tokens == tokens
        listed = [connection.id async for connection in store.list_connections(user_id=user)]
        assert listed == [id]

    await asyncio.gather(*map(connect_and_refresh, range(64)))


# An operation waits for a row that another replica's transaction has changed.


@on_postgres
async def test_a_grant_that_is_saved_during_a_disconnect_does_not_revive_the_connection(
    store: Store, stack: Stack
) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await claim_code(store, "late", user)
    upsert = store.upsert_connection(connection_upsert(user, "late"), now=NOON + HOUR)
    async with uncommitted(stack, "mark_disconnected($1, $2)", id, NOON + MINUTE):
        saving = await until_it_waits(stack, upsert)
    assert (await saving).error_code == "superseded"
    assert (await stored_connection(store, id)).status == "revoked"


@on_postgres
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"status": "reconnect_required"}, {}, ["connected", "recovered"]),
        ({"accounts": (BAR,)}, {"accounts": (BAR,)}, ["connected", "advertiser_lost"]),
    ],
    ids=["the connection ends", "the advertiser is lost"],
)
async def test_new_tokens_that_wait_for_another_outcome_write_the_events_that_follow_it(
    database: DatabaseUnderTest,
    stack: Stack,
    first: dict[str, object],
    second: dict[str, object],
    expected: list[str],
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    late = outcome(id, lease_owner="late", encrypted_tokens="second", **second)
    earlier = dumps([outcome(id, **first).as_json])
    async with uncommitted(stack, "apply_outcomes($1, $2)", earlier, NOON):
        applying = await until_it_waits(stack, apply(store, late))
    assert await applying == {id}
    assert database.event_types() == expected


@on_postgres
async def test_erasing_a_user_deletes_the_event_of_an_outcome_that_is_applied_meanwhile(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await acquire_lease(store, id)
    ended = outcome(id, status="reconnect_required", event="reconnect_required")
    async with uncommitted(stack, "apply_outcomes($1, $2)", dumps([ended.as_json]), NOON):
        erasing = await until_it_waits(stack, store.erase_user(user))
    assert await erasing == [id]
    assert (database.rows("events"), database.rows("attempts")) == ([], [])


@on_postgres
async def test_an_advertiser_that_an_outcome_takes_away_meanwhile_is_not_selected(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR])
    await acquire_lease(store, id)
    lost = dumps([outcome(id, accounts=(BAR,)).as_json])
    async with uncommitted(stack, "apply_outcomes($1, $2)", lost, NOON):
        selecting = await until_it_waits(stack, select(store, id, SHOP))
    assert await selecting is None
    assert database.user_account(user) is None
