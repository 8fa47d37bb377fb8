"""Lists of connections: their order, filters, search, pages and counts."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import chain

import pytest

from connector.model import Account, ConnectionStatus, UserId
from connector.store import ConnectionFilter, ListPosition, Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    MINUTE,
    SHOP,
    acquire_lease,
    apply,
    connect,
    connection_upsert,
    failure,
    new_user_id,
    outcome,
    select,
    stored_connection,
)
from .conftest import DatabaseUnderTest

PROFILE = Account(id="open-id", name="Жанна Ünal", kind="profile")
PAGE = 3


async def set_status(store: Store, id: str, status: ConnectionStatus) -> None:
    if status == "revoked":
        await store.mark_disconnected(id, now=NOON)
    elif status != "active":
        await acquire_lease(store, id)
        await apply(store, outcome(id, status=status, last_failure=failure()))


async def connect_as(store: Store, status: ConnectionStatus, *, now: datetime = NOON) -> str:
    id = await connect(store, now=now)
    await set_status(store, id, status)
    return id


async def found(store: Store, **filter: str | None) -> set[str]:
    listed = await store.search_connections(ConnectionFilter(**filter), max_rows=100)  # type: ignore[arg-type]  # fields by name
    return {connection.id for connection in listed}


async def pages(store: Store, filter: ConnectionFilter) -> list[list[str]]:
    result: list[list[str]] = []
    after: ListPosition | None = None
    while True:
        page = await store.search_connections(filter, after=after, max_rows=PAGE)
        if not page:
            return result
        result.append([connection.id for connection in page])
        after = ListPosition.of(page[-1])


# Order and pages


async def test_broken_connections_are_listed_first_and_then_the_newest(store: Store) -> None:
    statuses: tuple[ConnectionStatus, ...] = (
        "active",
        "revoked",
        "reconnect_required",
        "refresh_failing",
    )
    older = {status: await connect_as(store, status) for status in statuses}
    newer = {status: await connect_as(store, status, now=NOON + MINUTE) for status in statuses}
    listed = await store.search_connections(ConnectionFilter(), max_rows=100)
    order: tuple[ConnectionStatus, ...]
    order = ("reconnect_required", "refresh_failing", "active", "revoked")
    assert [connection.id for connection in listed] == [
        ids[status] for status in order for ids in (newer, older)
    ]


@pytest.mark.parametrize("status", [None, "active", "reconnect_required"])
async def test_each_connection_is_on_exactly_one_page(
    store: Store, status: ConnectionStatus | None
) -> None:
    for number in range(7):
        await connect(store, now=NOON + MINUTE * (number // 3))
    for _ in range(4):
        await connect_as(store, "reconnect_required")
    filter = ConnectionFilter(status=status)
    all_at_once = await store.search_connections(filter, max_rows=100)
    listed = await pages(store, filter)
    assert list(chain.from_iterable(listed)) == [connection.id for connection in all_at_once]
    assert {len(page) for page in listed[:-1]} == {PAGE}
    assert len(all_at_once) == {None: 11, "active": 7, "reconnect_required": 4}[status]


async def test_changes_between_two_pages_skip_and_repeat_no_other_connection(store: Store) -> None:
    ids = [await connect(store, now=NOON - MINUTE * number) for number in range(6)]
    first = await store.search_connections(ConnectionFilter(), max_rows=2)
    assert [connection.id for connection in first] == ids[:2]
    await set_status(store, ids[1], "revoked")
    await set_status(store, ids[3], "refresh_failing")
    await connect(store, now=NOON + MINUTE)
    second = await store.search_connections(
        ConnectionFilter(), after=ListPosition.of(first[-1]), max_rows=3
    )
    assert [connection.id for connection in second] == [ids[2], ids[4], ids[5]]


async def test_a_position_of_another_filter_is_a_valid_start(store: Store) -> None:
    broken = await connect_as(store, "reconnect_required")
    active = await connect(store)
    after = ListPosition.of(await stored_connection(store, broken))
    listed = await store.search_connections(
        ConnectionFilter(status="active"), after=after, max_rows=9
    )
    assert [connection.id for connection in listed] == [active]


# Filters and search


async def test_filters_are_combined(store: Store) -> None:
    user = new_user_id()
    wanted = await connect(store, user, selected_advertiser=SHOP)
    others = [
        await connect(store, selected_advertiser=SHOP),
        await connect(store, user, family="login_kit"),
        await connect(store, user, tiktok_user_id="other", selected_advertiser=BAR),
    ]
    ended = await connect(store, user, tiktok_user_id="ended", selected_advertiser=SHOP)
    await set_status(store, ended, "reconnect_required")
    filter = {"user_id": user, "family": "marketing", "status": "active", "query": SHOP.id}
    assert await found(store, **filter) == {wanted}
    assert await found(store, user_id=user) == {wanted, ended, *others[1:]}
    assert await found(store, family="login_kit") == {others[1]}
    assert await found(store, status="reconnect_required") == {ended}
    assert await found(store, family="marketing", status="reconnect_required") == {ended}
    assert await found(store, family="marketing", status="active") == {wanted, others[0], others[2]}


async def test_a_connection_is_found_by_a_user_id_that_is_no_uuid(store: Store) -> None:
    id = await connect(store, UserId("auth0|Anna"))
    assert await found(store, query="auth0|Anna") == {id}
    assert await found(store, query="auth0|anna") == set()
    assert await found(store, user_id="auth0|Anna") == {id}


async def test_a_connection_is_found_by_each_of_its_ids(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user, tiktok_user_id="open-id-1", selected_advertiser=SHOP)
    await connect(store, tiktok_user_id="open-id-2", selected_advertiser=BAR)
    for query in (id, id.upper(), user, user.upper(), "open-id-1", SHOP.id):
        assert await found(store, query=query) == {id}, query
    for part in (id[:-1], user[:8], "open-id", SHOP.id[:-1], "OPEN-ID-1"):
        assert await found(store, query=part) == set(), part


@pytest.mark.parametrize("query", ["müller", "MÜLLER & S", "Müller & Söhne 🚲", "m"])
async def test_an_advertiser_is_found_by_the_beginning_of_its_name_in_any_case(
    store: Store, query: str
) -> None:
    id = await connect(store, selected_advertiser=SHOP)
    await connect(store, selected_advertiser=BAR)
    assert await found(store, query=query) == {id}


@pytest.mark.parametrize("query", ["жанна", "ЖАННА ü", "Жанна Ünal"])
async def test_a_profile_is_found_by_the_beginning_of_its_name_in_any_case(
    store: Store, query: str
) -> None:
    id = await connect(store, family="login_kit", accounts=(PROFILE,))
    assert await found(store, query=query) == {id}


@pytest.mark.parametrize("query", ["söhne", "%", "_üller", "m%", "\\", "\U0010ffff"])
async def test_only_the_beginning_of_a_name_matches_and_no_character_is_a_wildcard(
    store: Store, query: str
) -> None:
    await connect(store, selected_advertiser=SHOP)
    assert await found(store, query=query) == set()


async def test_a_connection_is_found_by_the_name_that_it_has_now(store: Store) -> None:
    id = await connect(store, accounts=(SHOP, BAR), selected_advertiser=SHOP)
    assert await select(store, id, BAR)
    assert await found(store, query="bar") == {id}
    assert await found(store, query="müller") == set()
    profile = await connect(store, family="login_kit", accounts=(PROFILE,))
    await acquire_lease(store, profile)
    renamed = PROFILE.model_copy(update={"name": "Robin"})
    await apply(store, outcome(profile, accounts=(renamed,)))
    assert await found(store, query="rob") == {profile}
    assert await found(store, query="жанна") == set()


async def test_a_connection_with_a_very_long_name_can_be_saved_and_found(store: Store) -> None:
    name = "".join(chr(0x4E00 + number) for number in range(5000))
    id = await connect(store, selected_advertiser=Account(id="7", name=name))
    assert await found(store, query=name[:100]) == {id}


async def test_a_search_that_finds_very_many_connections_has_the_same_order_and_filters(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    connection = await database.connect()
    limit = asyncio.Semaphore(64)

    async def insert(number: int) -> None:
        upsert = connection_upsert(
            user,
            "no code",
            family="login_kit",
            tiktok_user_id=f"{number}",
            accounts=(PROFILE,),
        )
        items = [upsert.model_dump(mode="json")]
        now = NOON + MINUTE * number
        async with limit:
            await connection.call("upsert_connections", connections=items, now=now)

    await asyncio.gather(*map(insert, range(1001)))
    await connect(store, selected_advertiser=BAR, now=NOON + MINUTE * 2000)
    for filter in (ConnectionFilter(query="жан"), ConnectionFilter(user_id=user, query="жан")):
        newest = await store.search_connections(filter, max_rows=3)
        assert [each.tiktok_user_id for each in newest] == ["1000", "999", "998"]
    other_family = ConnectionFilter(family="marketing", query="жан")
    assert await store.search_connections(other_family, max_rows=3) == []


# Rows and counts


async def test_a_listed_connection_has_its_profile_but_not_its_advertisers(store: Store) -> None:
    marketing = await connect(store, accounts=(SHOP, BAR), selected_advertiser=BAR)
    profile = await connect(
        store, family="login_kit", accounts=(PROFILE,), now=NOON + timedelta(days=1)
    )
    first, second = await store.search_connections(ConnectionFilter(), max_rows=9)
    assert (first.id, first.accounts, first.selected_advertiser) == (profile, (PROFILE,), None)
    assert (second.id, second.accounts, second.selected_advertiser) == (marketing, (), BAR)
    stored = await stored_connection(store, marketing)
    assert second == stored.model_copy(update={"accounts": ()})


async def test_the_connections_of_one_user_are_counted(store: Store) -> None:
    user = new_user_id()
    await connect(store, user)
    await set_status(store, await connect(store, user, family="login_kit"), "revoked")
    await connect(store)
    counts = await store.count_connections(user_id=user)
    assert {(count.family, count.status): count.count for count in counts} == {
        ("login_kit", "revoked"): 1,
        ("marketing", "active"): 1,
    }
    assert await store.count_connections(user_id=UserId(new_user_id())) == []
