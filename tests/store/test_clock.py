"""Production passes no time, so that the clock of the database counts, not the clock of a replica."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector.clock import Clock
from connector.store import ClaimedCode, CodeBusy, Store

from .builders import (
    DAY,
    MINUTE,
    OTHER_OWNER,
    OWNER,
    SHOP,
    acquire_lease,
    apply,
    claim_code,
    connect,
    lease_due,
    new_user_id,
    outcome,
    select,
    stored_connection,
)
from .conftest import DatabaseUnderTest

SECOND = timedelta(seconds=1)


class WrongClock(Clock):
    """The clock of a replica that is a year ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + 365 * DAY


def just_now(time: datetime | None) -> bool:
    """The test and the database use the clock of the same machine."""
    assert time is not None
    return abs(datetime.now(UTC) - time) < 10 * SECOND


async def connect_and_lease(store: Store) -> str:
    id = await connect(store, now=None)
    assert await acquire_lease(store, id, now=None) is not None
    return id


async def test_a_replica_with_a_wrong_clock_cannot_lease_a_connection_that_another_has_leased(
    store: Store,
) -> None:
    id = await connect_and_lease(store)
    clock = WrongClock()
    now = clock.database_time()
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=now) is None
    assert await lease_due(store, owner=OTHER_OWNER, now=now) == []
    # With its own clock the replica would lease the connection although the lease is valid.
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=clock.now()) is not None


async def test_a_replica_with_a_wrong_clock_cannot_claim_a_code_that_another_has_claimed(
    store: Store,
) -> None:
    user, clock = new_user_id(), WrongClock()
    await claim_code(store, "code", user, now=None)
    now = clock.database_time()
    assert await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=now) == CodeBusy()
    claim = await claim_code(store, "code", user, claimed_by=OTHER_OWNER, now=clock.now())
    assert isinstance(claim, ClaimedCode)


async def test_a_lease_without_the_argument_now_expires_one_lease_duration_after_the_databases_time(
    store: Store,
) -> None:
    id = await connect_and_lease(store)
    due_at = (await stored_connection(store, id)).due_at
    assert due_at is not None
    assert just_now(due_at - MINUTE)


async def test_a_connection_is_due_by_the_databases_time(store: Store) -> None:
    overdue = await connect(store, due_at=datetime.now(UTC) - SECOND, now=None)
    await connect(store, due_at=datetime.now(UTC) + MINUTE, now=None)
    assert [leased.connection_id for leased in await lease_due(store, now=None)] == [overdue]


async def test_released_leases_are_due_at_the_databases_time(store: Store) -> None:
    id = await connect_and_lease(store)
    assert await store.release_leases([OWNER], now=None, max_lease=MINUTE) == 1
    assert just_now((await stored_connection(store, id)).due_at)
    assert [leased.connection_id for leased in await lease_due(store, now=None)] == [id]


async def test_one_operation_writes_the_same_time_to_every_column(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, code_hash="code", now=None)
    connection = await stored_connection(store, id)
    times = {connection.connected_at, connection.created_at, connection.updated_at}
    [time] = times | {connection.verified_at}
    assert just_now(time)
    [event], [code] = database.rows("events"), database.rows("codes")
    assert {parse_time(event["created_at"]), parse_time(code["claimed_until"])} == {time}


async def test_every_operation_with_a_time_argument_accepts_none(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect_and_lease(store)
    assert await apply(store, outcome(id), now=None) == {id}
    assert just_now((await stored_connection(store, id)).updated_at)
    assert await select(store, id, SHOP, now=None)
    assert just_now((await stored_connection(store, id)).updated_at)
    disconnected = await store.mark_disconnected(id, now=None)
    assert disconnected is not None
    assert just_now((await stored_connection(store, id)).due_at)
    assert all(just_now(parse_time(event["created_at"])) for event in database.rows("events"))


def parse_time(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
