"""Connections as they are shown, listed and found."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from connector.model import stamp
from connector.store import Store
from tests.clocks import NOON

from .conftest import Memory
from .people import (
    HOUR,
    MINUTE,
    SHOP,
    attempt,
    connect,
    failure,
    hold,
    outcome,
    person,
    read,
    save,
)

LATER = NOON + HOUR


async def test_an_unknown_connection_is_none(store: Store) -> None:
    assert await store.connection(str(uuid4())) is None
    assert await store.read_token(str(uuid4())) is None


async def test_connections_are_found_by_person_and_by_family(store: Store) -> None:
    user = person()
    mine = await connect(store, user)
    other_family = await connect(store, user, family="login_kit")
    other_person = await connect(store)
    assert {c.id async for c in store.connections()} == {mine, other_family, other_person}
    assert {c.id async for c in store.connections(user_id=user)} == {mine, other_family}
    assert {c.id async for c in store.connections(family="marketing")} == {mine, other_person}
    assert {c.id async for c in store.connections(user_id=user, family="login_kit")} == {
        other_family
    }


async def test_a_list_of_connections_leaves_out_their_accounts(store: Store) -> None:
    await connect(store, chosen=SHOP)
    [shown] = [each async for each in store.connections()]
    assert shown.accounts == ()
    assert shown.chosen == SHOP


async def test_more_connections_than_postgrest_answers_at_once_are_all_listed(
    memory: Memory,
) -> None:
    store, user = await memory.store(), person()
    await connect(store, user)
    database = await memory.database()
    gate = asyncio.Semaphore(64)

    async def one(number: int) -> None:
        async with gate:
            other = {**connection, "id": str(uuid4()), "subject": f"{number}"}
            await database.call("save_connections", connections=[other])

    logged = attempt(at=NOON).model_dump(mode="json")
    connection: dict[str, Any] = {
        "key": "none", "user_id": user, "family": "marketing", "scopes": [], "accounts": [],
        "chosen": None, "sealed": "sealed", "expires_at": None, "refresh_expires_at": None,
        "due_at": None, "account_token": None, "answer": {}, "attempt": logged, "at": stamp(NOON),
    }  # fmt: skip
    await asyncio.gather(*map(one, range(1, 1101)))
    listed = [each.id async for each in store.connections(user_id=user)]
    assert len(listed) == len(set(listed)) == 1101
    assert listed == sorted(listed)


# Finding a token


async def test_a_token_is_found_by_person_and_family(store: Store) -> None:
    user = person()
    id = await connect(store, user)
    found = await store.find_token(user, "marketing")
    assert found == await read(store, id)
    assert await store.find_token(user, "login_kit") is None


async def test_of_several_connections_the_living_and_then_the_newest_is_found(
    store: Store,
) -> None:
    user = person()
    older = await connect(store, user, subject="older", now=NOON)
    newer = await connect(store, user, subject="newer", now=NOON + MINUTE)
    found = await store.find_token(user, "marketing")
    assert found is not None
    assert found.id == newer
    await store.begin_revoke(newer, now=NOON)
    found = await store.find_token(user, "marketing")
    assert found is not None
    assert found.id == older


async def test_a_connection_that_needs_its_person_is_still_found_when_it_is_all_there_is(
    store: Store,
) -> None:
    user = person()
    id = await connect(store, user)
    await hold(store, id)
    await save(store, outcome(id, status="reconnect_required", failure=failure()))
    found = await store.find_token(user, "marketing")
    assert found is not None
    assert (found.status, found.failure) == ("reconnect_required", failure())
