"""Connections: reading one, listing them, and finding the tokens of a user."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    MINUTE,
    SHOP,
    acquire_lease,
    apply,
    connect,
    connection_upsert,
    failure,
    new_user_id,
    outcome,
    stored_tokens,
)
from .conftest import DatabaseUnderTest


async def test_an_unknown_connection_is_none(store: Store) -> None:
    assert await store.get_connection(str(uuid4())) is None
    assert await store.get_stored_tokens(str(uuid4())) is None


async def test_connections_are_listed_by_user_and_by_family(store: Store) -> None:
    user = new_user_id()
    marketing = await connect(store, user)
    login_kit = await connect(store, user, family="login_kit")
    other_user = await connect(store)

    async def ids(user_id: str | None = None, family: str | None = None) -> set[str]:
        listed = store.list_connections(user_id=user if user_id else None, family=family)
        return {connection.id async for connection in listed}

    assert await ids() == {marketing, login_kit, other_user}
    assert await ids(user_id=user) == {marketing, login_kit}
    assert await ids(family="marketing") == {marketing, other_user}
    assert await ids(user_id=user, family="login_kit") == {login_kit}


async def test_listed_connections_do_not_contain_their_accounts(store: Store) -> None:
    await connect(store, selected_advertiser=SHOP)
    [connection] = [connection async for connection in store.list_connections()]
    assert connection.accounts == ()
    assert connection.selected_advertiser == SHOP


async def test_more_connections_than_one_page_of_postgrest_are_all_listed(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    connection = await database.connect()
    limit = asyncio.Semaphore(64)

    async def insert(number: int) -> None:
        upsert = connection_upsert(user, "no code", tiktok_user_id=f"{number}", accounts=())
        items = [upsert.model_dump(mode="json")]
        async with limit:
            await connection.call("upsert_connections", connections=items, now=NOON)

    await asyncio.gather(*map(insert, range(1101)))
    listed = [connection.id async for connection in store.list_connections(user_id=user)]
    assert len(listed) == len(set(listed)) == 1101
    assert listed == sorted(listed)


# Finding tokens by user


async def test_tokens_are_found_by_user_and_family(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    found = await store.find_stored_tokens(user, "marketing")
    assert found == await stored_tokens(store, id)
    assert await store.find_stored_tokens(user, "login_kit") is None


async def test_the_newest_active_connection_of_a_user_is_found(store: Store) -> None:
    user = new_user_id()
    older = await connect(store, user, tiktok_user_id="older", now=NOON)
    newer = await connect(store, user, tiktok_user_id="newer", now=NOON + MINUTE)
    found = await store.find_stored_tokens(user, "marketing")
    assert found is not None
    assert found.connection_id == newer
    await store.mark_disconnected(newer, now=NOON)
    found = await store.find_stored_tokens(user, "marketing")
    assert found is not None
    assert found.connection_id == older


async def test_a_connection_that_requires_reconnecting_is_found_if_it_is_the_only_one(
    store: Store,
) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="reconnect_required", last_failure=failure()))
    found = await store.find_stored_tokens(user, "marketing")
    assert found is not None
    assert (found.status, found.last_failure) == ("reconnect_required", failure())
