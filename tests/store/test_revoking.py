"""A connection is given back: at once for us, when it can be for TikTok."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from connector.store import Store
from tests.clocks import NOON

from .conftest import Memory
from .people import (
    BAR,
    HOUR,
    MINUTE,
    SHOP,
    claim,
    connect,
    failure,
    hold,
    outcome,
    person,
    save,
)

LATER = NOON + HOUR


async def test_revoking_keeps_the_tokens_until_tiktok_has_them_back(store: Store) -> None:
    id = await connect(store, due_at=LATER)
    kept = await store.begin_revoke(id, now=NOON)
    assert kept is not None
    assert (kept.status, kept.sealed) == ("revoked", "first")
    shown = await store.connection(id)
    assert shown is not None
    assert shown.due_at == NOON


async def test_revoking_an_unknown_connection_is_none(store: Store) -> None:
    assert await store.begin_revoke(str(uuid4()), now=NOON) is None


async def test_revoking_twice_is_revoking_once(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store)
    assert await store.begin_revoke(id, now=NOON) == await store.begin_revoke(id, now=LATER)
    shown = await store.connection(id)
    assert shown is not None
    assert (shown.due_at, shown.updated_at) == (NOON, NOON)
    kinds = [event["kind"] for event in memory.rows("events")]
    assert kinds == ["connected", "disconnected"]


async def test_revoking_waits_for_a_refresh_in_flight(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await store.begin_revoke(id, now=NOON)
    shown = await store.connection(id)
    assert shown is not None
    assert shown.due_at == NOON + MINUTE


async def test_revoking_does_not_wait_for_a_lapsed_lease(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await store.begin_revoke(id, now=LATER)
    shown = await store.connection(id)
    assert shown is not None
    assert shown.due_at == LATER


async def test_revoking_forgets_the_failure(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, status="refresh_failing", failure=failure()))
    kept = await store.begin_revoke(id, now=NOON)
    assert kept is not None
    assert kept.failure is None


async def test_revoking_clears_the_advertiser_it_put_into_user_accounts(memory: Memory) -> None:
    store, user = await memory.store(), person()
    id = await connect(store, user, chosen=SHOP, account_token="sealed for them")
    await store.begin_revoke(id, now=NOON)
    assert memory.account(user) == (None, None, None)


async def test_revoking_leaves_another_connections_advertiser_in_user_accounts(
    memory: Memory,
) -> None:
    store, user = await memory.store(), person()
    id = await connect(store, user, chosen=SHOP, subject="old")
    await connect(store, user, chosen=BAR, subject="new", account_token="theirs")
    await store.begin_revoke(id, now=NOON)
    assert memory.account(user) == ("theirs", BAR.name, BAR.id)


async def test_revoking_leaves_the_same_advertiser_of_somebody_else(memory: Memory) -> None:
    store, user, other = await memory.store(), person(), person()
    id = await connect(store, user, chosen=SHOP)
    await connect(store, other, chosen=SHOP)
    await store.begin_revoke(id, now=NOON)
    assert memory.account(other) == (None, SHOP.name, SHOP.id)


async def test_revoking_once_more_leaves_what_was_chosen_since(memory: Memory) -> None:
    store, user = await memory.store(), person()
    old = await connect(store, user, chosen=SHOP, subject="old")
    await store.begin_revoke(old, now=NOON)
    await connect(store, user, chosen=SHOP, subject="new")
    await store.begin_revoke(old, now=NOON + timedelta(seconds=1))
    assert memory.account(user) == (None, SHOP.name, SHOP.id)


async def test_a_revoked_connection_is_known_to_a_claim_so_that_its_choice_can_come_back(
    store: Store,
) -> None:
    user = person()
    id = await connect(store, user, chosen=SHOP)
    await store.begin_revoke(id, now=NOON)
    claimed = await claim(store, "code", user)
    assert [(known.id, known.chosen) for known in claimed.known] == [(id, SHOP)]
    assert claimed.earlier is None
