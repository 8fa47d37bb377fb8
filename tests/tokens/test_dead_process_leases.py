"""The leases of a dead process are released when its journal is recovered, and not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from connector.errors import Busy, StoreUnreachable
from connector.store.database_errors import error_for_code
from connector.tokens import REFRESH_LEASE, UsableTokens
from tests.journal.disks import files_up_to
from tests.supabase_stack import Stack

from .harness import REFRESH_PATH, Gate, Replica, TokenHarness
from .test_outcome_writer import reject_outcomes_of

REVOKE_PATH = "/v2/oauth/revoke"


async def kill_during_calls(path: str, harness: TokenHarness, replica: Replica, *work: Any) -> None:
    """Kills the replica when TikTok has received these calls and has not responded."""
    await harness.simulator.fault(path, "hang", times=len(work))
    tasks = [asyncio.ensure_future(request) for request in work]
    await harness.wait_for_tiktok_calls(len(work))
    await replica.kill()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, asyncio.CancelledError)
    harness.end_faults()


async def is_read_at_once(harness: TokenHarness, reading: Awaitable[UsableTokens]) -> bool:
    """Returns True if the token is accepted and the read did not wait for a lease."""
    started = harness.clock.now()
    usable = await harness.advance_until_done(reading)
    return harness.is_accepted(usable.tokens) and harness.clock.now() - started < timedelta(
        seconds=1
    )


def lease_owner(harness: TokenHarness, connection_id: str) -> str | None:
    [owner] = [
        row["lease_owner"] for row in harness.rows("connections") if row["id"] == connection_id
    ]
    return None if owner is None else str(owner)


async def connect_expired(harness: TokenHarness, replica: Replica, count: int) -> list[str]:
    connection_ids = await harness.connect_people(replica, count)
    harness.advance_past_expiry(await replica.tokens(connection_ids[0]))
    return connection_ids


async def test_a_restarted_process_immediately_reads_a_connection_that_it_had_leased(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await connect_expired(harness, replica, 1)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_id))
    restarted = await harness.start_replica()
    assert await is_read_at_once(harness, restarted.read(connection_id))
    assert await harness.refresh_count() == 1


async def test_a_replica_that_waits_for_a_dead_process_continues_once_its_journal_is_recovered(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    [connection_id] = await connect_expired(harness, replica, 1)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_id))
    waiting = asyncio.create_task(other.read(connection_id))
    await harness.clock.until_asleep()
    await harness.start_replica()
    assert await is_read_at_once(harness, waiting)


async def test_the_background_immediately_refreshes_connections_leased_by_a_dead_process(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await connect_expired(harness, replica, 3)
    await kill_during_calls(REFRESH_PATH, harness, replica, *map(replica.read, connection_ids))
    await (await harness.start_replica()).run_background()
    assert await harness.refresh_count() == 3


async def test_a_response_lost_with_its_process_is_requested_again_within_tiktoks_grace_period(
    harness: TokenHarness, replica: Replica
) -> None:
    """A lease may be longer than the grace period, so no read waits for the lease of a dead process."""
    grace = REFRESH_LEASE.total_seconds() / 2
    await harness.simulator.post("/_sim/settings", {"rotation": "grace", "grace_seconds": grace})
    [connection_id] = await connect_expired(harness, replica, 1)
    await harness.simulator.fault(REFRESH_PATH, "drop_after_effect")
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    await replica.kill()
    await asyncio.wait([reading])
    harness.clock.advance(grace / 2)
    restarted = await harness.start_replica()
    assert await is_read_at_once(harness, restarted.read(connection_id))
    assert (await harness.simulator.stats())["dead_refresh_token_presented"] == 0


async def test_the_leases_of_running_processes_are_not_released(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    elsewhere = await harness.start_replica(
        {"CONNECTOR_JOURNAL": str(harness.path / "elsewhere.journal")}
    )
    connection_ids = await connect_expired(harness, replica, 3)
    await harness.simulator.fault(REFRESH_PATH, "hang", times=3)
    running = [
        asyncio.create_task(reader.read(connection_id))
        for reader, connection_id in zip((other, elsewhere), connection_ids[:2], strict=True)
    ]
    reading = asyncio.create_task(replica.read(connection_ids[2]))
    await harness.wait_for_tiktok_calls(3)
    await replica.kill()
    await asyncio.wait([reading])
    await harness.start_replica()
    owners = [other.owner_id, elsewhere.owner_id, None]
    assert [lease_owner(harness, connection_id) for connection_id in connection_ids] == owners
    harness.end_faults()
    assert all([harness.is_accepted((await reading).tokens) for reading in running])


async def test_no_lease_of_a_dead_process_is_released_before_its_new_tokens_are_saved(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    """Another process would otherwise use a refresh token whose successor is in this journal."""
    answered, unanswered = await connect_expired(harness, replica, 2)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    reading = asyncio.create_task(replica.read(unanswered))
    await harness.wait_for_tiktok_calls()
    replica.database.faults["apply_outcomes"] = "before"
    await replica.read(answered)
    await replica.kill()
    await asyncio.wait([reading])
    restarted = await harness.start_replica(faults={"apply_outcomes": "before"})
    for connection_id in (answered, unanswered):
        with pytest.raises(Busy):
            await harness.advance_until_done(other.read(connection_id))
    assert restarted.database.calls["release_leases"] == 0

    restarted.database.faults.clear()
    harness.advance_past_expiry((await restarted.read(answered)).tokens)
    for connection_id in (answered, unanswered):
        assert await is_read_at_once(harness, restarted.read(connection_id))
    stats = await harness.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (3, 0)


async def test_no_lease_of_a_dead_process_is_released_while_the_store_rejects_its_new_tokens(
    harness: TokenHarness, replica: Replica
) -> None:
    answered, unanswered = await connect_expired(harness, replica, 2)
    reject_outcomes_of(harness, answered)
    await replica.read(answered)
    owner = replica.owner_id
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(unanswered))
    restarted = await harness.start_replica()
    await restarted.run_background()
    assert [lease_owner(harness, connection_id) for connection_id in (answered, unanswered)] == [
        owner,
        owner,
    ]
    assert restarted.database.calls["release_leases"] == 0


async def test_dead_leases_are_released_before_any_new_lease_if_the_store_was_unreachable_at_the_start(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await connect_expired(harness, replica, 1)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_id))
    restarted = await harness.start_replica(faults={"release_leases": "before"})
    for request in (restarted.read(connection_id), restarted.background.run_batch()):
        with pytest.raises(StoreUnreachable):
            await harness.advance_until_done(request)
    assert (
        not restarted.database.calls["acquire_refresh_lease"]
        + restarted.database.calls["lease_due_connections"]
    )
    restarted.database.faults.clear()
    assert await is_read_at_once(harness, restarted.read(connection_id))
    restarted.database.calls.clear()
    await restarted.run_background()
    assert restarted.database.calls["release_leases"] == 0


async def test_the_leases_of_all_dead_processes_are_released_in_one_call(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_ids = await connect_expired(harness, replica, 2)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_ids[0]))
    await kill_during_calls(REFRESH_PATH, harness, other, other.read(connection_ids[1]))
    restarted = await harness.start_replica()
    assert restarted.database.calls["release_leases"] == 1
    assert [lease_owner(harness, connection_id) for connection_id in connection_ids] == [None, None]


async def test_a_later_process_releases_the_dead_leases_that_an_earlier_process_could_not_release(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await connect_expired(harness, replica, 1)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_id))
    for _ in range(2):
        await (await harness.start_replica(faults={"release_leases": "before"})).kill()
    restarted = await harness.start_replica()
    assert await is_read_at_once(harness, restarted.read(connection_id))


async def test_dead_leases_are_released_although_the_disk_is_full_at_the_start(
    harness: TokenHarness, stack: Stack
) -> None:
    stack.truncate()
    replica = await harness.start_replica(stack.environment())
    [connection_id] = await connect_expired(harness, replica, 1)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_id))
    with files_up_to(0):
        restarted = await harness.start_replica(stack.environment())
    assert await is_read_at_once(harness, restarted.read(connection_id))


async def test_a_store_that_rejects_the_release_of_dead_leases_is_called_once_and_blocks_no_connection(
    harness: TokenHarness, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    """A new version of the service runs on a database with the functions of the old one."""
    leased, free = await connect_expired(harness, replica, 2)
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(leased))
    restarted = await harness.start_replica(faults={"release_leases": "before"})

    async def lack_function() -> None:
        raise error_for_code("PGRST202")

    restarted.database.before_call["release_leases"] = lack_function
    restarted.database.calls.clear()
    assert harness.is_accepted((await restarted.read(free)).tokens)
    with caplog.at_level(logging.INFO), pytest.raises(Busy):
        await harness.advance_until_done(restarted.read(leased))
    assert restarted.database.calls["release_leases"] == 1
    harness.clock.advance(REFRESH_LEASE.total_seconds())
    assert harness.is_accepted((await restarted.read(leased)).tokens)


async def test_a_revocation_interrupted_by_a_kill_is_completed_after_the_restart(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    await kill_during_calls(REVOKE_PATH, harness, replica, replica.disconnect(connection_id))
    restarted = await harness.start_replica()
    assert harness.has_active_grant("person 0")
    await restarted.run_background()
    assert not harness.has_active_grant("person 0")
    assert (await restarted.stored(connection_id)).encrypted_tokens is None


async def test_a_revocation_that_waited_for_a_killed_refresh_is_completed_after_the_restart(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await connect_expired(harness, replica, 1)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    reading = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    await replica.store.mark_disconnected(connection_id, now=harness.clock.now())
    assert (await replica.connection(connection_id)).due_at == harness.clock.now() + REFRESH_LEASE
    await replica.kill()
    await asyncio.wait([reading])
    restarted = await harness.start_replica()
    await restarted.run_background()
    assert (await restarted.connection(connection_id)).status == "revoked"
    assert (await restarted.stored(connection_id)).encrypted_tokens is None
    assert not harness.has_active_grant("person 0")
