"""Audit entries are added once, listed newest first, filtered, paged and deleted when they are old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.store import AuditFilter, AuditPosition, Store
from tests.manual_clock import NOON

from .builders import MINUTE, audit_entry, connect, new_user_id

EVERYTHING = AuditFilter()


async def listed_ids(
    store: Store,
    matching: AuditFilter = EVERYTHING,
    *,
    before: AuditPosition | None = None,
    max_rows: int = 100,
) -> list[str]:
    entries = await store.list_audit_entries(matching, before=before, max_rows=max_rows)
    return [entry.id for entry in entries]


async def test_an_entry_is_listed_as_it_was_added(store: Store) -> None:
    entry = audit_entry(
        connection_id="c", user_id=new_user_id(), request_id="r", peer="2001:db8::1"
    )
    await store.add_audit_entries([entry])
    assert await store.list_audit_entries(EVERYTHING, before=None, max_rows=2) == [entry]


async def test_an_entry_that_is_added_twice_is_one_entry(store: Store) -> None:
    first, second = audit_entry(id="1"), audit_entry(id="2")
    await store.add_audit_entries([first])
    await store.add_audit_entries([first, second])
    assert await listed_ids(store) == ["2", "1"]


async def test_the_newest_entries_are_listed_first_and_the_next_page_continues(
    store: Store,
) -> None:
    entries = [audit_entry(id=f"{n}", at=NOON + MINUTE * (n // 2)) for n in range(6)]
    await store.add_audit_entries(entries)
    assert await listed_ids(store, max_rows=3) == ["5", "4", "3"]
    position = AuditPosition(entries[3].at, entries[3].id)
    assert await listed_ids(store, before=position) == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        (AuditFilter(connection_id="a"), ["3", "2", "1"]),
        (AuditFilter(user_id=None, actor="billing"), ["4", "2"]),
        (AuditFilter(connection_id="a", actor="billing"), ["2"]),
        (AuditFilter(connection_id="b", actor="shop"), []),
        (AuditFilter(actor="nobody"), []),
    ],
)
async def test_entries_are_filtered_by_connection_and_actor(
    store: Store, matching: AuditFilter, expected: list[str]
) -> None:
    user = new_user_id()
    a, b = await connect(store, user), await connect(store, user, tiktok_user_id="other")
    await store.add_audit_entries(
        [
            audit_entry(id="1", user_id=user, connection_id=a, actor="shop"),
            audit_entry(id="2", user_id=user, connection_id=a, actor="billing"),
            audit_entry(id="3", user_id=user, connection_id=a, actor="shop"),
            audit_entry(id="4", user_id=user, connection_id=b, actor="billing"),
        ]
    )
    if matching.connection_id is not None:
        matching = replace(matching, connection_id={"a": a, "b": b}[matching.connection_id])
    assert await listed_ids(store, matching) == expected


async def test_the_entries_of_a_connection_are_found_by_its_id_in_upper_case(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await store.add_audit_entries([audit_entry(id="1", user_id=user, connection_id=id)])
    assert await listed_ids(store, AuditFilter(connection_id=id.upper())) == ["1"]


async def test_the_entries_of_erased_connections_are_found_by_the_word_erased(store: Store) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await store.add_audit_entries([audit_entry(id="1", user_id=user, connection_id=id)])
    await store.erase_user(user)
    assert await listed_ids(store, AuditFilter(connection_id="erased")) == ["1"]
    assert await listed_ids(store, AuditFilter(connection_id=id)) == []


async def test_entries_are_filtered_by_user(store: Store) -> None:
    anna, ben = new_user_id(), new_user_id()
    await store.add_audit_entries(
        [
            audit_entry(id="1", user_id=anna, actor="shop"),
            audit_entry(id="2", user_id=ben, connection_id="c"),
            audit_entry(id="3", user_id=anna, connection_id="c"),
        ]
    )
    assert await listed_ids(store, AuditFilter(user_id=anna)) == ["3", "1"]
    assert await listed_ids(store, AuditFilter(user_id=anna, actor="shop")) == ["1"]
    assert await listed_ids(store, AuditFilter(user_id=anna, connection_id="c")) == ["3"]


async def test_old_entries_are_deleted_and_the_result_says_if_more_remain(store: Store) -> None:
    entries = [audit_entry(id=f"{n}", at=NOON + MINUTE * n) for n in range(4)]
    await store.add_audit_entries(entries)
    assert await store.delete_old_audit_entries(before=entries[3].at, max_rows=2)
    assert await listed_ids(store) == ["3", "2"]
    assert not await store.delete_old_audit_entries(before=entries[3].at, max_rows=2)
    assert await listed_ids(store) == ["3"]
