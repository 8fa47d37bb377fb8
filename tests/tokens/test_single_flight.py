"""Each connection has one refresh at a time, which all callers share and no caller cancels."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from connector.errors import Busy, ReconnectRequired, TikTokUnreachable
from connector.tokens import REFRESH_LEASE

from .harness import REFRESH_PATH, Gate, Replica, TokenHarness

# Shared


async def test_a_hundred_concurrent_reads_cause_one_refresh(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    results = await asyncio.gather(*(replica.read(connection_id) for _ in range(100)))
    assert len({usable.tokens.access for usable in results}) == 1
    assert harness.is_accepted(results[0].tokens)
    assert await harness.refresh_count() == 1


async def test_concurrent_reads_in_three_replicas_cause_one_refresh(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    replicas = [replica, other, await harness.start_replica()]
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    reads = (replicas[n % 3].read(connection_id) for n in range(90))
    results = await harness.advance_until_done(asyncio.gather(*reads))
    assert len({usable.tokens.access for usable in results}) == 1
    assert await harness.refresh_count() == 1


async def test_a_read_joins_the_refresh_of_the_background(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    await replica.background.run_batch()
    reading = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    harness.end_faults()
    assert harness.is_accepted((await reading).tokens)
    assert await harness.refresh_count() == 1


@pytest.mark.parametrize(
    ("code", "error"), [("invalid_grant", ReconnectRequired), ("server_error", TikTokUnreachable)]
)
async def test_a_read_that_joined_a_background_refresh_gets_its_error(
    harness: TokenHarness, replica: Replica, code: str, error: type[Exception]
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "code", code)
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    await replica.background.run_batch()
    await gate.reached.wait()
    reading = asyncio.create_task(replica.read(connection_id))
    await asyncio.sleep(0)
    gate.open.set()
    with pytest.raises(error):
        await reading


# Waiting for another replica


async def test_a_waiting_replica_gets_the_tokens_of_the_other_replica(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    first = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    second = asyncio.create_task(other.read(connection_id))
    await harness.clock.until_asleep()
    harness.end_faults()
    refreshed = await first
    assert (await harness.advance_until_done(second)).tokens == refreshed.tokens
    assert await harness.refresh_count() == 1


async def test_a_waiting_replica_gets_the_error_of_the_other_replica_and_does_not_retry(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    await harness.simulator.fault(REFRESH_PATH, "status", 500)
    first = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    second = asyncio.create_task(other.read(connection_id))
    await harness.clock.until_asleep()
    gate.open.set()
    for reading in (first, harness.advance_until_done(second)):
        with pytest.raises(TikTokUnreachable):
            await reading
    assert await harness.refresh_count() == 0


async def test_a_waiting_replica_learns_that_the_connection_has_ended(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.post("/_sim/revoke", {"person": "robin"})
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    first = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    second = asyncio.create_task(other.read(connection_id))
    await harness.clock.until_asleep()
    gate.open.set()
    for reading in (first, harness.advance_until_done(second)):
        with pytest.raises(ReconnectRequired):
            await reading
    assert harness.events().count("reconnect_required") == 1


async def test_a_connection_that_ends_between_read_and_lease_is_not_leased(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.post("/_sim/revoke", {"person": "robin"})
    saving = replica.database.before_call["apply_outcomes"] = Gate()
    second_lease_call = Gate()

    async def block_second_call() -> None:
        if other.database.calls["acquire_refresh_lease"] == 2:
            await second_lease_call()

    other.database.before_call["acquire_refresh_lease"] = block_second_call
    first = asyncio.create_task(replica.read(connection_id))
    await saving.reached.wait()
    second = asyncio.create_task(other.read(connection_id))
    await second_lease_call.reached.wait()
    saving.open.set()
    with pytest.raises(ReconnectRequired):
        await first
    second_lease_call.open.set()
    with pytest.raises(ReconnectRequired):
        await harness.advance_until_done(second)
    assert harness.events() == ["connected", "reconnect_required"]


async def test_a_read_that_waited_25_seconds_for_another_replica_gets_busy(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    first = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    started = harness.clock.now()
    with pytest.raises(Busy) as caught:
        await harness.advance_until_done(other.read(connection_id))
    assert caught.value.retry_after
    assert timedelta(seconds=25) <= harness.clock.now() - started < REFRESH_LEASE
    harness.end_faults()
    await first


async def test_a_read_that_waited_25_seconds_for_another_replica_gets_the_old_token_if_it_is_unexpired(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    first = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    assert harness.is_accepted((await harness.advance_until_done(other.read(connection_id))).tokens)
    harness.end_faults()
    await first


async def test_a_refresh_of_an_outdated_row_returns_the_newer_tokens_without_a_call(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    outdated = await other.stored(connection_id)
    await replica.refresh(connection_id)
    result = await other.refresher.refresh(outdated, actor="user")
    assert result.stored.token_version == 2
    assert await harness.refresh_count() == 1


# Never cancelled


async def test_a_refresh_continues_when_its_caller_is_cancelled(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    reading = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    harness.end_faults()
    await replica.refresher.wait_until_idle()
    assert harness.is_accepted(await replica.tokens(connection_id))


async def test_shutdown_waits_until_running_refreshes_are_saved(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    await replica.background.run_batch()
    await harness.wait_for_tiktok_calls()
    replica.is_closed = True
    closing = asyncio.create_task(replica.service.__aexit__(None, None, None))
    done, _ = await asyncio.wait({closing}, timeout=0.05)
    assert not done
    harness.end_faults()
    await closing
    assert harness.is_accepted(await other.tokens(connection_id))


# Disconnecting


async def test_a_disconnect_during_a_refresh_revokes_the_new_tokens_too(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    await harness.wait_for_tiktok_calls()
    disconnecting = asyncio.create_task(replica.disconnect(connection_id))
    await asyncio.sleep(0)
    harness.end_faults()
    await refreshing
    await disconnecting
    await replica.run_background()
    connection = await replica.connection(connection_id)
    assert (connection.status, connection.due_at) == ("revoked", None)
    assert (await replica.stored(connection_id)).encrypted_tokens is None
    assert not harness.has_active_grant("robin")


async def test_a_lease_that_the_background_could_not_use_delays_no_disconnect(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)

    async def lease_at_the_end_of_the_refresh() -> None:
        del replica.database.after_call["apply_outcomes"]
        await replica.store.mark_disconnected(connection_id, now=harness.clock.now())
        assert (await replica.background.run_batch()).started == ()

    replica.database.after_call["apply_outcomes"] = lease_at_the_end_of_the_refresh
    await replica.refresh(connection_id)
    assert (await replica.disconnect(connection_id)).due_at is None
    assert not harness.has_active_grant("robin")


async def test_a_failed_revocation_is_retried_until_it_succeeds(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await harness.simulator.fault("/v2/oauth/revoke", "status", 503, times=3)
    connection = await replica.disconnect(connection_id)
    assert connection.status == "revoked"
    for _ in range(3):
        assert (await replica.stored(connection_id)).encrypted_tokens is not None
        harness.clock.advance(120)
        await replica.run_background()
    assert (await replica.stored(connection_id)).encrypted_tokens is None
    assert not harness.has_active_grant("robin")


async def test_tokens_are_deleted_after_a_week_of_failed_revocations(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await harness.simulator.fault("/v2/oauth/revoke", "status", 503, times=-1)
    await replica.disconnect(connection_id)
    harness.clock.advance(7 * 24 * 3600 + 1)
    await replica.run_background()
    assert (await replica.stored(connection_id)).encrypted_tokens is None
    assert (await replica.connection(connection_id)).due_at is None
