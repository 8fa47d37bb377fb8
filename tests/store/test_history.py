"""Attempts, counts of attempts and connections, and the deletion of old rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from connector.maintenance.cleanup import CLEANUP_INTERVAL, RETENTION
from connector.store import AttemptCount, CodeBusy, ConnectionCount, Store
from tests.manual_clock import NOON

from .builders import (
    DAY,
    HOUR,
    MINUTE,
    OTHER_OWNER,
    acquire_lease,
    apply,
    attempt,
    claim_code,
    connect,
    new_user_id,
    outcome,
)
from .conftest import DatabaseUnderTest


async def log_attempts(store: Store, connection_id: str, *minutes_after_noon: float) -> None:
    """Writes attempts with outcomes that change no connection: their token version does not exist."""
    times = [NOON + MINUTE * minutes for minutes in minutes_after_noon]
    attempts = [attempt(operation="refresh", at=time) for time in times]
    await apply(
        store, *(outcome(connection_id, token_version=0, attempt=each) for each in attempts)
    )


async def attempt_times(store: Store, connection_id: str) -> list[datetime]:
    return [attempt.at for attempt in await store.list_attempts(connection_id, max_rows=100)]


async def test_the_newest_attempts_are_listed_first_and_at_most_the_requested_number(
    store: Store,
) -> None:
    id, other = str(uuid4()), str(uuid4())
    for minute in range(60):
        await log_attempts(store, id, minute)
    await log_attempts(store, other, 99)
    listed = await store.list_attempts(id)
    assert [attempt.at for attempt in listed] == [NOON + MINUTE * n for n in range(59, 9, -1)]
    assert len(await store.list_attempts(id, max_rows=3)) == 3


async def test_attempts_of_all_users_and_of_one_user_are_counted_by_hours(store: Store) -> None:
    user, microsecond = new_user_id(), 1 / 60e6
    id = await connect(store, user, now=NOON - DAY)
    await log_attempts(store, id, -microsecond, 0, 60 - microsecond, 60, 119, 24 * 60)
    for user_id in (None, user):
        counts = await store.count_attempts_by_hour(user_id=user_id, since=NOON)
        assert [(count.hour, count.count) for count in counts] == [(0, 2), (1, 2), (24, 1)]


async def test_concurrent_writes_are_all_counted(database: DatabaseUnderTest) -> None:
    stores = [await database.open_store() for _ in range(3)]
    await asyncio.gather(
        *(log_attempts(store, str(uuid4()), 1) for store in stores for _ in range(20))
    )
    [count] = await stores[0].count_attempts_by_hour(user_id=None, since=NOON)
    assert count.count == len(database.rows("attempts")) == 60


async def test_the_counts_of_all_users_outlive_the_attempts(store: Store) -> None:
    await log_attempts(store, str(uuid4()), *range(-9, 0))
    await delete_old_rows(store, keep_attempts=1)
    [count] = await store.count_attempts_by_hour(user_id=None, since=NOON - DAY)
    assert count.count == 9


async def test_counts_are_deleted_after_31_days(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    await log_attempts(store, str(uuid4()), -31 * 24 * 60 - 1, -31 * 24 * 60)
    await delete_old_rows(store, now=NOON)
    [row] = database.rows("attempt_counts")
    assert row["count"] == 1


async def test_attempts_are_counted_by_operation_and_result(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, attempt=attempt("busy", operation="refresh")))
    assert await store.count_attempts_by_hour(user_id=None, since=NOON) == [
        AttemptCount(hour=0, operation="exchange", result="ok", count=1),
        AttemptCount(hour=0, operation="refresh", result="busy", count=1),
    ]


async def test_the_attempts_of_a_user_are_those_of_the_users_connections(store: Store) -> None:
    user = new_user_id()
    await connect(store, user)
    await connect(store)
    [count] = await store.count_attempts_by_hour(user_id=user, since=NOON)
    assert count.count == 1
    assert await store.count_attempts_by_hour(user_id=new_user_id(), since=NOON) == []


async def test_connections_are_counted_by_family_and_status(store: Store) -> None:
    await connect(store)
    await connect(store)
    await connect(store, family="login_kit")
    await store.mark_disconnected(await connect(store), now=NOON)
    assert await store.count_connections() == [
        ConnectionCount(family="login_kit", status="active", count=1),
        ConnectionCount(family="marketing", status="active", count=2),
        ConnectionCount(family="marketing", status="revoked", count=1),
    ]


async def test_an_empty_database_has_no_connection_counts(store: Store) -> None:
    assert await store.count_connections() == []


# Deletion of old rows


async def delete_old_rows(
    store: Store,
    *,
    keep_attempts: int = 50,
    max_rows: int = 5000,
    now: datetime = NOON + DAY,
) -> bool:
    """Rows from before noon are old, and events from 29 days before."""
    return await store.delete_old_rows(
        replace(RETENTION, attempts_per_connection=keep_attempts),
        interval=CLEANUP_INTERVAL,
        now=now,
        max_rows=max_rows,
    )


async def test_cleanup_deletes_only_old_codes(database: DatabaseUnderTest, store: Store) -> None:
    await connect(store, now=NOON - MINUTE)
    await claim_code(store, "new", new_user_id())
    await delete_old_rows(store)
    assert [row["code_hash"] for row in database.rows("codes")] == ["new"]
    claim = await claim_code(store, "new", new_user_id(), claimed_by=OTHER_OWNER)
    assert claim == CodeBusy()


async def test_cleanup_deletes_an_old_code_with_its_pending_grant(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await claim_code(store, "old", new_user_id(), now=NOON - MINUTE)
    await delete_old_rows(store)
    assert database.rows("codes") == []


async def test_cleanup_does_not_delete_the_last_attempts_of_a_connection_at_any_age(
    store: Store,
) -> None:
    few, many = str(uuid4()), str(uuid4())
    for minute in range(-20, 0):
        await log_attempts(store, few, minute - 1000)
        await log_attempts(store, many, minute, minute + 0.5)
    await delete_old_rows(store, keep_attempts=30)
    assert len(await attempt_times(store, few)) == 20
    assert len(await attempt_times(store, many)) == 30


async def test_cleanup_does_not_delete_any_number_of_new_attempts(store: Store) -> None:
    id = str(uuid4())
    await log_attempts(store, id, *range(-3, 6))
    await delete_old_rows(store, keep_attempts=1)
    assert len(await attempt_times(store, id)) == 6


async def test_cleanup_deletes_old_attempts_without_a_connection(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    for at in (NOON - MINUTE, NOON):
        await store.record_code_result(
            "unknown",
            claimed_by="owner",
            encrypted_grant=None,
            reply=None,
            attempt=attempt(at=at),
            now=NOON,
        )
    await delete_old_rows(store)
    assert len(database.rows("attempts")) == 1


async def test_cleanup_deletes_events_that_are_older_than_their_own_limit(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await connect(store, now=NOON - 29 * DAY - MINUTE)
    newer = await connect(store, now=NOON - 29 * DAY)
    await store.number_events(now=NOON)
    await delete_old_rows(store)
    assert [event["connection_id"] for event in database.rows("events")] == [newer]


async def test_one_cleanup_call_deletes_at_most_the_requested_rows_and_reports_that_more_are_left(
    database: DatabaseUnderTest,
) -> None:
    store, id = await database.open_store(), str(uuid4())
    await log_attempts(store, id, *range(-9, 0))
    for _ in range(5):
        await connect(store, now=NOON - 60 * DAY)
    await store.number_events(now=NOON)

    def row_counts() -> tuple[int, int, int]:
        attempts = [row for row in database.rows("attempts") if row["connection_id"] == id]
        return len(database.rows("codes")), len(database.rows("events")), len(attempts)

    assert await delete_old_rows(store, keep_attempts=1, max_rows=3)
    assert row_counts() == (2, 2, 9)  # The attempts of the old connections are older.
    assert await delete_old_rows(store, keep_attempts=1, max_rows=3)
    assert row_counts() == (0, 0, 6)
    while await delete_old_rows(store, keep_attempts=1, max_rows=3):
        pass
    assert row_counts() == (0, 0, 1)


async def test_many_new_attempts_do_not_prevent_the_deletion_of_old_ones(store: Store) -> None:
    new, old = str(uuid4()), str(uuid4())
    await log_attempts(store, new, *range(9))
    await log_attempts(store, old, -3, -2, -1)
    await delete_old_rows(store, keep_attempts=1, max_rows=2)
    assert len(await attempt_times(store, old)) == 1


async def test_an_attempt_that_newer_ones_push_out_is_deleted_when_these_are_a_day_old(
    store: Store,
) -> None:
    id = str(uuid4())
    await log_attempts(store, id, *range(-9, 0))
    await delete_old_rows(store, keep_attempts=9)
    assert len(await attempt_times(store, id)) == 9
    await log_attempts(store, id, 1, 2)
    await delete_old_rows(store, keep_attempts=9, now=NOON + DAY + HOUR)
    assert len(await attempt_times(store, id)) == 9


async def test_only_one_process_deletes_and_at_most_once_in_an_interval(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(4)]
    for minute in (-2, -1):
        await connect(stores[0], now=NOON + MINUTE * minute)
    more_left = await asyncio.gather(*(delete_old_rows(store, max_rows=1) for store in stores))
    assert any(more_left)
    while await delete_old_rows(stores[0], max_rows=1):
        pass
    assert database.rows("codes") == []
    await connect(stores[0], now=NOON - MINUTE)
    just_before = NOON + DAY + CLEANUP_INTERVAL - MINUTE
    assert not await delete_old_rows(stores[1], now=just_before)
    assert len(database.rows("codes")) == 1
    assert not await delete_old_rows(stores[2], now=just_before + MINUTE)
    assert database.rows("codes") == []


async def test_a_cleanup_that_deleted_its_limit_of_attempts_checks_the_same_ones_again(
    store: Store,
) -> None:
    ids = [str(uuid4()) for _ in range(4)]
    for id in ids:
        await log_attempts(store, id, -3, -2, -1)
    calls = 1
    while await delete_old_rows(store, keep_attempts=1, max_rows=2):
        calls += 1
    assert [len(await attempt_times(store, id)) for id in ids] == [1, 1, 1, 1]
    assert calls < 20


async def test_cleanup_deletes_the_oldest_attempts_of_a_connection(store: Store) -> None:
    id = str(uuid4())
    await log_attempts(store, id, *range(-9, 0))
    await delete_old_rows(store, keep_attempts=4)
    newest = [NOON + MINUTE * minute for minute in (-1, -2, -3, -4)]
    assert await attempt_times(store, id) == newest
