"""Between replicas the lease decides who refreshes, and a late owner changes nothing."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest

from connector.clock import Clock
from connector.errors import Busy, StoreUnreachable
from connector.tiktok_client import REQUEST_DEADLINE_SECONDS
from connector.tokens import MAX_TIKTOK_CALL, REFRESH_LEASE
from tests.journal.helpers import until_idle
from tests.manual_clock import ManualClock

from .harness import REFRESH_PATH, Fault, Gate, Replica, TokenHarness

LEASE_SECONDS = REFRESH_LEASE.total_seconds()

# The lease


def test_the_lease_outlasts_the_longest_call(replica: Replica) -> None:
    assert REFRESH_LEASE > MAX_TIKTOK_CALL
    assert (
        MAX_TIKTOK_CALL.total_seconds()
        == REQUEST_DEADLINE_SECONDS
        == replica.service.tiktok_client._deadline
    )


async def test_the_lease_of_a_dead_owner_expires(harness: TokenHarness, replica: Replica) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    now = harness.clock.now()
    assert await replica.store.acquire_refresh_lease(
        connection_id, token_version=1, owner="dead process", now=now, lease=REFRESH_LEASE
    )
    with pytest.raises(Busy):
        await harness.advance_until_done(replica.read(connection_id))
    harness.clock.advance(LEASE_SECONDS)
    assert harness.is_accepted((await replica.read(connection_id)).tokens)


async def test_the_background_passes_its_lease_to_the_read_that_waits_for_the_lease(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    now = harness.clock.now()
    lease_end = now + timedelta(seconds=10)
    await replica.store.acquire_refresh_lease(
        connection_id, token_version=1, owner="dead process", now=now, lease=timedelta(seconds=10)
    )
    gate = replica.database.before_call["acquire_refresh_lease"] = Gate()
    reading = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    harness.clock.advance(10)
    await replica.background.run_batch()
    gate.open.set()
    assert harness.is_accepted((await harness.advance_until_done(reading)).tokens)
    assert harness.clock.now() < lease_end + timedelta(seconds=2)


async def test_a_read_gets_the_lease_of_the_background_without_waiting_for_the_next_poll(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    now = harness.clock.now()
    await replica.store.acquire_refresh_lease(
        connection_id, token_version=1, owner="dead process", now=now, lease=timedelta(seconds=0.01)
    )
    reading = asyncio.create_task(replica.read(connection_id))
    await harness.clock.until_asleep()
    # Long enough for the lease to end, too short for the next poll of the read.
    harness.clock.advance(0.02)
    await replica.background.run_batch()
    assert harness.is_accepted((await reading).tokens)


async def test_a_process_delayed_until_its_lease_may_have_expired_does_not_call_tiktok(
    harness: TokenHarness, replica: Replica
) -> None:
    """The process was stopped or waited for the disk between the lease and the call."""

    async def delay() -> None:
        harness.clock.advance((REFRESH_LEASE - MAX_TIKTOK_CALL).total_seconds() + 1)

    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    replica.database.before_call["acquire_refresh_lease"] = delay
    with pytest.raises(Busy):
        await replica.read(connection_id)
    assert await harness.refresh_count() == 0
    assert (await replica.connection(connection_id)).status == "active"
    del replica.database.before_call["acquire_refresh_lease"]
    harness.clock.advance(LEASE_SECONDS)
    await replica.run_background()
    assert await harness.refresh_count() == 1


async def test_a_background_delayed_until_its_lease_may_have_expired_does_not_call_tiktok(
    harness: TokenHarness, replica: Replica
) -> None:
    async def delay() -> None:
        harness.clock.advance((REFRESH_LEASE - MAX_TIKTOK_CALL).total_seconds() + 1)

    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    replica.database.before_call["lease_due_connections"] = delay
    await replica.run_batch()
    assert await harness.refresh_count() == 0


async def test_a_process_whose_disk_is_slower_than_its_lease_does_not_call_tiktok(
    harness: TokenHarness, replica: Replica
) -> None:
    """The refresh token is sent only after space in the journal was reserved, which is a write."""
    connection_id = await harness.connect(replica)
    journal, disk_responds = replica.service.journal, threading.Event()
    await until_idle(journal)  # Otherwise it may still write that the exchange has ended.
    journal._thread.submit(disk_responds.wait)
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    while journal._writer is None:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.001)
    harness.clock.advance(LEASE_SECONDS)
    disk_responds.set()
    with pytest.raises(Busy):
        await refreshing
    assert await harness.refresh_count() == 0


class SteppedClock(Clock):
    """The clock of the test, with a wall clock that can be set wrong. The database has a clock of its own."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.error = timedelta(0)

    def now(self) -> datetime:
        return self._clock.now() + self.error

    def database_time(self) -> datetime:
        return self._clock.now()

    def ticks(self) -> float:
        return self._clock.ticks()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def test_a_wall_clock_that_jumps_ahead_does_not_shorten_a_lease(
    harness: TokenHarness,
) -> None:
    clock = SteppedClock(harness.clock)
    replica = await harness.start_replica(clock=clock)
    connection_id = await harness.connect(replica)

    async def jump_ahead() -> None:
        clock.error = timedelta(hours=1)

    replica.database.before_call["acquire_refresh_lease"] = jump_ahead
    assert (await replica.refresh(connection_id)).token_version == 2


async def test_a_wall_clock_that_jumps_back_does_not_prolong_a_lease(harness: TokenHarness) -> None:
    clock = SteppedClock(harness.clock)
    replica = await harness.start_replica(clock=clock)
    connection_id = await harness.connect(replica)

    async def delay() -> None:
        harness.clock.advance(LEASE_SECONDS)
        clock.error = timedelta(hours=-1)

    replica.database.before_call["acquire_refresh_lease"] = delay
    with pytest.raises(Busy):
        await replica.refresh(connection_id)
    assert await harness.refresh_count() == 0


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("operation", ["acquire_refresh_lease", "lease_due_connections"])
async def test_no_refresh_token_is_used_while_the_store_grants_no_lease(
    harness: TokenHarness, replica: Replica, operation: str, fault: Fault
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    before = (await harness.simulator.stats())["calls"]
    replica.database.faults[operation] = fault
    with pytest.raises(StoreUnreachable):
        await (
            replica.read(connection_id)
            if operation == "acquire_refresh_lease"
            else replica.background.run_batch()
        )
    assert (await harness.simulator.stats())["calls"] == before
    replica.database.faults.clear()
    harness.clock.advance(LEASE_SECONDS)
    assert harness.is_accepted((await replica.read(connection_id)).tokens)


# The late owner


async def test_the_write_of_an_owner_whose_lease_has_ended_is_refused(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    await harness.simulator.post("/_sim/settings", {"rotation": "none"})
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    late = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    harness.clock.advance(LEASE_SECONDS)
    newer = await other.read(connection_id)
    harness.end_faults()
    assert (await late).tokens == newer.tokens
    assert (await replica.tokens(connection_id)) == newer.tokens
    assert (await replica.stored(connection_id)).token_version == 2
    attempts = await replica.store.list_attempts(connection_id)
    assert [attempt.result for attempt in attempts] == ["superseded", "ok", "ok"]


async def test_a_late_owner_reads_the_row_again_after_tiktok_rejected_its_refresh_token(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    late = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    harness.clock.advance(LEASE_SECONDS)
    newer = await other.read(connection_id)
    harness.end_faults()
    assert (await late).tokens == newer.tokens
    assert (await replica.connection(connection_id)).status == "active"
    assert "reconnect_required" not in harness.events()
    assert await replica.last_attempt(connection_id) == "read superseded invalid_grant"


async def test_a_late_owner_whose_refresh_token_is_rejected_reports_busy_while_the_new_owner_refreshes(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    late = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    harness.clock.advance(LEASE_SECONDS)
    gate = other.database.before_call["apply_outcomes"] = Gate()
    newer = asyncio.create_task(other.read(connection_id))
    await gate.reached.wait()
    harness.end_faults()
    with pytest.raises(Busy):
        await late
    gate.open.set()
    assert harness.is_accepted((await newer).tokens)
    assert (await replica.connection(connection_id)).status == "active"


async def test_the_tokens_of_a_reconnect_are_not_overwritten_by_a_running_refresh(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    late = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    assert await harness.connect(other) == connection_id
    reconnected = await other.tokens(connection_id)
    harness.end_faults()
    assert (await late).tokens == reconnected
    assert await replica.tokens(connection_id) == reconnected
    assert harness.is_accepted(reconnected)
    assert Counter(harness.events()) == {"connected": 1, "reconnected": 1}


async def test_a_token_that_expired_while_the_process_was_stopped_is_not_returned(
    harness: TokenHarness, replica: Replica
) -> None:
    """A laptop was closed during a refresh and opened the day after."""
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    harness.clock.advance(24 * 3600)
    gate.open.set()
    with pytest.raises(Busy):
        await reading
    assert harness.is_accepted((await replica.read(connection_id)).tokens)
