"""Sessions that were ended before they expired."""

from __future__ import annotations

from connector.store import Store
from tests.manual_clock import NOON

from .builders import HOUR
from .conftest import DatabaseUnderTest


async def test_a_session_is_ended_after_it_was_ended_once_or_twice(store: Store) -> None:
    assert not await store.is_session_ended("first")
    for _ in range(2):
        await store.end_session("first", keep_until=NOON + HOUR, now=NOON)
        assert await store.is_session_ended("first")
    assert not await store.is_session_ended("second")


async def test_ending_a_session_deletes_the_rows_that_are_no_longer_needed(
    store: Store, database: DatabaseUnderTest
) -> None:
    await store.end_session("old", keep_until=NOON, now=NOON)
    await store.end_session("new", keep_until=NOON + 9 * HOUR, now=NOON + HOUR)
    assert [row["session_hash"] for row in database.rows("ended_sessions")] == ["new"]


async def test_ending_a_session_leaves_the_other_ended_sessions_ended(store: Store) -> None:
    await store.end_session("first", keep_until=NOON + HOUR, now=NOON)
    await store.end_session("second", keep_until=NOON + 9 * HOUR, now=NOON + HOUR)
    assert await store.is_session_ended("first")
