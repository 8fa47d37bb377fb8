"""The lease on a connection: one refresh at a time, and everything that is due gets its turn."""

from __future__ import annotations

import asyncio
from datetime import datetime

from connector.store import Store
from tests.clocks import NOON

from .conftest import Memory
from .people import HOUR, MINUTE, connect, hold, outcome, read, save

LATER = NOON + HOUR


# Claiming one


async def test_a_claim_answers_the_tokens_it_is_for(store: Store) -> None:
    id = await connect(store)
    assert await hold(store, id) == await read(store, id)


async def test_a_held_connection_is_not_given_to_anybody_else(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    assert await hold(store, id, holder="two") is None


async def test_nor_to_its_holder_again(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    assert await hold(store, id) is None


async def test_a_lapsed_lease_is_free(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    assert await hold(store, id, holder="two", now=NOON + MINUTE) is not None


async def test_a_connection_that_is_not_due_can_be_claimed_all_the_same(store: Store) -> None:
    assert await hold(store, await connect(store, due_at=LATER)) is not None
    assert await hold(store, await connect(store, due_at=None)) is not None


async def test_tokens_that_have_been_replaced_are_not_claimed(store: Store) -> None:
    id = await connect(store)
    assert await hold(store, id, version=2) is None


async def test_a_connection_without_tokens_is_not_claimed(store: Store) -> None:
    id = await connect(store)
    await store.begin_revoke(id, now=NOON)
    await hold(store, id)
    await save(store, outcome(id, status="revoked", forget=True))
    assert await hold(store, id) is None


async def test_a_connection_that_needs_its_person_is_not_claimed(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, status="reconnect_required"))
    assert await hold(store, id) is None


async def test_of_25_claims_at_once_one_succeeds(memory: Memory) -> None:
    stores = [await memory.store() for _ in range(2)]
    id = await connect(stores[0])
    claims = await asyncio.gather(*(hold(stores[n % 2], id, holder=str(n)) for n in range(25)))
    assert sum(claimed is not None for claimed in claims) == 1


# Claiming what is due


async def due(
    store: Store, *, most: int = 100, holder: str = "one", now: datetime = NOON
) -> list[str]:
    claimed = await store.claim_due(holder=holder, most=most, now=now, until=now + MINUTE)
    return [kept.id for kept in claimed]


async def test_what_is_due_is_claimed_and_the_rest_is_not(store: Store) -> None:
    past = await connect(store, due_at=NOON - HOUR)
    now = await connect(store, due_at=NOON)
    await connect(store, due_at=NOON + MINUTE)
    await connect(store, due_at=None)
    assert sorted(await due(store)) == sorted([past, now])


async def test_the_longest_due_come_first(store: Store) -> None:
    ids = [await connect(store, due_at=NOON - HOUR + MINUTE * n) for n in (2, 0, 1)]
    assert await due(store, most=1) == [ids[1]]
    assert await due(store, most=1) == [ids[2]]


async def test_what_was_claimed_is_due_again_when_the_lease_lapses(store: Store) -> None:
    id = await connect(store)
    assert await due(store) == [id]
    assert await due(store, holder="two") == []
    assert await due(store, holder="two", now=NOON + MINUTE) == [id]


async def test_a_revoked_connection_is_due_so_that_tiktok_hears_of_it(store: Store) -> None:
    id = await connect(store, due_at=None)
    await store.begin_revoke(id, now=NOON)
    [kept] = await store.claim_due(holder="one", most=1, now=NOON, until=LATER)
    assert (kept.id, kept.status, kept.sealed) == (id, "revoked", "first")
