"""A lease permits one refresh at a time, and the connection that is due first is leased first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from connector.model import StoredTokens
from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    HOUR,
    MINUTE,
    OTHER_OWNER,
    acquire_lease,
    apply,
    connect,
    lease_due,
    outcome,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest

LATER = NOON + HOUR


def ids(stored: Sequence[StoredTokens]) -> list[str]:
    return [tokens.connection_id for tokens in stored]


# One connection


async def test_acquiring_a_lease_returns_the_tokens(store: Store) -> None:
    id = await connect(store)
    assert await acquire_lease(store, id) == await stored_tokens(store, id)


async def test_a_leased_connection_cannot_be_leased_by_another_owner(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    assert await acquire_lease(store, id, owner=OTHER_OWNER) is None


async def test_an_owner_gets_its_lease_again_and_for_longer(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    assert await acquire_lease(store, id, now=NOON + MINUTE / 2) is not None
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE) is None


async def test_another_owner_can_acquire_an_expired_lease(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    just_before = NOON + MINUTE * 0.99
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=just_before) is None
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE) is not None


async def test_a_connection_that_is_not_due_can_be_leased(store: Store) -> None:
    assert await acquire_lease(store, await connect(store, due_at=LATER)) is not None
    assert await acquire_lease(store, await connect(store, due_at=None)) is not None


async def test_a_lease_for_tokens_that_were_replaced_is_refused(store: Store) -> None:
    id = await connect(store)
    assert await acquire_lease(store, id, token_version=2) is None


async def test_a_connection_without_tokens_cannot_be_leased(store: Store) -> None:
    id = await connect(store)
    await store.mark_disconnected(id, now=NOON)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="revoked", delete_tokens=True))
    assert await acquire_lease(store, id) is None


async def test_a_connection_that_requires_reconnecting_cannot_be_leased(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="reconnect_required"))
    assert await acquire_lease(store, id) is None


async def test_one_of_25_concurrent_lease_requests_succeeds(database: DatabaseUnderTest) -> None:
    stores = [await database.open_store() for _ in range(2)]
    id = await connect(stores[0])
    leases = await asyncio.gather(
        *(acquire_lease(stores[n % 2], id, owner=str(n)) for n in range(25))
    )
    assert sum(lease is not None for lease in leases) == 1


# Due connections


async def test_due_connections_are_leased_and_the_others_are_not(store: Store) -> None:
    overdue = await connect(store, due_at=NOON - HOUR)
    due_now = await connect(store, due_at=NOON)
    await connect(store, due_at=NOON + MINUTE)
    await connect(store, due_at=None)
    assert sorted(ids(await lease_due(store))) == sorted([overdue, due_now])


async def test_the_connections_that_have_been_due_longest_are_leased_first(store: Store) -> None:
    third, first, second = [
        await connect(store, due_at=NOON - HOUR + MINUTE * n) for n in (2, 0, 1)
    ]
    assert ids(await lease_due(store, max_rows=1)) == [first]
    assert ids(await lease_due(store, max_rows=1)) == [second]
    assert ids(await lease_due(store, max_rows=1)) == [third]


async def test_a_leased_connection_is_due_again_when_its_lease_expires(store: Store) -> None:
    id = await connect(store)
    assert ids(await lease_due(store)) == [id]
    assert await lease_due(store, owner=OTHER_OWNER) == []
    assert ids(await lease_due(store, owner=OTHER_OWNER, now=NOON + MINUTE)) == [id]


async def test_a_disconnected_connection_is_due_so_that_its_tokens_are_revoked_at_tiktok(
    store: Store,
) -> None:
    id = await connect(store, due_at=None)
    await store.mark_disconnected(id, now=NOON)
    [leased] = await lease_due(store)
    assert leased.connection_id == id
    assert (leased.status, leased.encrypted_tokens) == ("revoked", "first")


@pytest.mark.parametrize(
    ("remaining_life", "lease"),
    [
        (None, MINUTE),
        (-HOUR, MINUTE),
        (MINUTE, MINUTE),
        (12 * MINUTE, 4 * MINUTE),
        (30 * MINUTE, 10 * MINUTE),
        (24 * HOUR, 10 * MINUTE),
    ],
)
async def test_the_background_leases_for_a_third_of_the_tokens_remaining_life_between_1_and_10_minutes(
    store: Store, remaining_life: timedelta | None, lease: timedelta
) -> None:
    id = await connect(store, expires_at=remaining_life and NOON + remaining_life)
    await lease_due(store)
    assert (await stored_connection(store, id)).due_at == NOON + lease


async def test_the_tokens_of_a_disconnected_connection_are_leased_for_a_minute(
    store: Store,
) -> None:
    """A revocation rotates no token, so no response can be lost."""
    id = await connect(store, expires_at=NOON + HOUR)
    await store.mark_disconnected(id, now=NOON)
    await lease_due(store)
    assert (await stored_connection(store, id)).due_at == NOON + MINUTE
