"""Operations that share one call of the database, on all three databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from connector.concurrency import MAX_BATCH_SIZE
from connector.model import StoredTokens
from connector.store import ClaimedCode, Store

from .builders import SHOP, claim_code, connect, new_user_id
from .pausable_database import PausableDatabase, run_together


async def connect_several(store: Store, count: int) -> list[str]:
    return [await connect(store) for _ in range(count)]


def ids(results: Sequence[StoredTokens | None]) -> list[str | None]:
    return [stored.connection_id if stored else None for stored in results]


@pytest.mark.usefixtures("unlimited_wait")
async def test_token_reads_that_start_together_share_one_call(pausable: PausableDatabase) -> None:
    store = Store(pausable)
    connection_ids = await connect_several(store, 5)
    found = await run_together(pausable, [store.get_stored_tokens(id) for id in connection_ids])
    assert ids(found) == connection_ids
    assert pausable.batch_sizes("get_stored_tokens") == [5]


@pytest.mark.usefixtures("unlimited_wait")
async def test_token_reads_that_start_during_a_call_share_the_next_call(
    pausable: PausableDatabase,
) -> None:
    store = Store(pausable)
    connection_ids = await connect_several(store, 5)
    pausable.pause()
    first = asyncio.create_task(store.get_stored_tokens(connection_ids[0]))
    await pausable.wait_for_calls("get_stored_tokens", 1)
    other_reads = [asyncio.create_task(store.get_stored_tokens(id)) for id in connection_ids[1:]]
    await asyncio.sleep(0)
    pausable.resume()
    assert ids(await asyncio.gather(first, *other_reads)) == connection_ids
    assert pausable.batch_sizes("get_stored_tokens") == [1, 4]


@pytest.mark.usefixtures("unlimited_wait")
async def test_concurrent_reads_of_the_same_tokens_query_the_database_once(
    pausable: PausableDatabase,
) -> None:
    store = Store(pausable)
    [connection_id] = await connect_several(store, 1)
    found = await run_together(pausable, [store.get_stored_tokens(connection_id) for _ in range(9)])
    assert ids(found) == [connection_id] * 9
    assert pausable.batch_sizes("get_stored_tokens") == [1]


@pytest.mark.usefixtures("unlimited_wait")
async def test_an_unknown_connection_in_a_batch_is_none_and_the_others_are_found(
    pausable: PausableDatabase,
) -> None:
    store = Store(pausable)
    [known] = await connect_several(store, 1)
    unknown = str(uuid4())
    requested = [known, unknown, known, unknown]
    found = await run_together(pausable, [store.get_stored_tokens(id) for id in requested])
    assert ids(found) == [known, None, known, None]


@pytest.mark.usefixtures("unlimited_wait")
async def test_a_batch_is_never_larger_than_the_maximum(pausable: PausableDatabase) -> None:
    store = Store(pausable)
    calls = [claim_code(store, uuid4().hex, new_user_id()) for _ in range(2 * MAX_BATCH_SIZE)]
    claims = await run_together(pausable, calls)
    assert all(isinstance(claim, ClaimedCode) for claim in claims)
    assert pausable.batch_sizes("claim_codes") == [MAX_BATCH_SIZE, MAX_BATCH_SIZE]


@pytest.mark.usefixtures("unlimited_wait")
async def test_each_code_claim_of_a_batch_returns_the_connections_of_its_own_user(
    pausable: PausableDatabase,
) -> None:
    store, users = Store(pausable), [new_user_id() for _ in range(4)]
    connection_ids = [await connect(store, user, selected_advertiser=SHOP) for user in users]
    claims = await run_together(pausable, [claim_code(store, user, user) for user in users])
    found = [[existing.id for existing in claim.existing_connections] for claim in claims]
    assert found == [[id] for id in connection_ids]
    assert pausable.batch_sizes("claim_codes")[-1] == 4


@pytest.mark.usefixtures("unlimited_wait")
async def test_two_upserts_of_one_user_never_share_a_batch(pausable: PausableDatabase) -> None:
    """Both upserts would write the user's only row in `user_accounts`."""
    store, user = Store(pausable), new_user_id()
    calls = [
        connect(store, user, tiktok_user_id=f"{number}", selected_advertiser=SHOP)
        for number in range(4)
    ]
    assert len(set(await run_together(pausable, calls))) == 4
    assert pausable.batch_sizes("upsert_connections") == [1, 1, 1, 1]


@pytest.mark.usefixtures("unlimited_wait")
async def test_a_cancelled_token_read_is_left_out_of_the_batch(pausable: PausableDatabase) -> None:
    store = Store(pausable)
    connection_ids = await connect_several(store, 3)
    tasks = [asyncio.create_task(store.get_stored_tokens(id)) for id in connection_ids]
    await asyncio.sleep(0)
    tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert pausable.batch_sizes("get_stored_tokens") == [2]


async def test_a_token_read_does_not_wait_for_a_slow_call(
    pausable: PausableDatabase,
) -> None:
    store = Store(pausable)
    connection_ids = await connect_several(store, 2)
    pausable.pause()
    slow = asyncio.create_task(store.get_stored_tokens(connection_ids[0]))
    await pausable.wait_for_calls("get_stored_tokens", 1)
    second = asyncio.create_task(store.get_stored_tokens(connection_ids[1]))
    await pausable.wait_for_calls("get_stored_tokens", 2)
    pausable.resume()
    assert ids([await slow, await second]) == connection_ids
