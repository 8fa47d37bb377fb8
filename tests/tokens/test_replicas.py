"""Real service processes on one Supabase, which are stopped and killed by signals."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from aiohttp import ClientError

from connector.tokens import LEASE_WAIT, REFRESH_LEASE

from .cluster import SERVE, Cluster, wait_until
from .harness import REFRESH_PATH
from .replicas import FileClock


async def test_300_reads_of_an_expired_connection_in_three_services_cause_one_refresh(
    cluster: Cluster, clock: FileClock
) -> None:
    services = await asyncio.gather(*(cluster.start_with_test_clock() for _ in range(3)))
    connection_id = await cluster.connect(services[0])
    await cluster.simulator.post("/_sim/settings", {"latency_ms": 200})
    clock.set_ahead(3 * 3600)
    reads = (cluster.read(services[n % 3], connection_id) for n in range(300))
    contents = await asyncio.gather(*reads)
    assert len({content["access_token"] for content in contents}) == 1
    cluster.simulator.state.tokens.find_access_token(contents[0]["access_token"])
    assert (await cluster.simulator.stats())["refreshes"] == 1
    assert cluster.token_version(connection_id) == 2


async def test_a_process_stopped_beyond_its_lease_cannot_overwrite_newer_tokens(
    cluster: Cluster, clock: FileClock
) -> None:
    first, second = await asyncio.gather(
        cluster.start_with_test_clock(), cluster.start_with_test_clock()
    )
    # The late tokens are still valid at TikTok: only the store can refuse them.
    await cluster.simulator.post("/_sim/settings", {"rotation": "none"})
    connection_id = await cluster.connect(first)
    await cluster.simulator.fault(REFRESH_PATH, "hang")
    late = asyncio.create_task(cluster.refresh(first, connection_id))
    await wait_until(lambda: cluster.simulator.state.call_log.stats()["in_flight"] == 1)
    first.signal(signal.SIGSTOP)
    clock.set_ahead(REFRESH_LEASE.total_seconds() + 1)
    await cluster.refresh(second, connection_id)
    assert cluster.token_version(connection_id) == 2
    newest = await cluster.read(second, connection_id)

    cluster.simulator.state.faults.clear()
    await wait_until(lambda: cluster.simulator.state.call_log.stats()["in_flight"] == 0)
    first.signal(signal.SIGCONT)
    await late
    assert (await cluster.simulator.stats())["refreshes"] == 2
    assert cluster.token_version(connection_id) == 2
    assert cluster.results(connection_id) == ["ok", "ok", "superseded"]
    assert (
        await cluster.read(first, connection_id)
        == await cluster.read(second, connection_id)
        == newest
    )


async def test_a_killed_process_saves_the_response_in_its_journal_after_the_restart(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = await cluster.start(*SERVE)
    connection_id = await cluster.connect(first)
    journal = tmp_path / first.url.rpartition(":")[2]
    with cluster.stack.gateway.failing("hang", on="connector_apply_outcomes"):
        request = asyncio.create_task(cluster.refresh(first, connection_id))
        [wal] = journal.glob("*.db-wal")
        await wait_until(lambda: b'"refresh",{' in wal.read_bytes())
        first.signal(signal.SIGKILL)
        with pytest.raises(ClientError):
            await request
    assert cluster.token_version(connection_id) == 1
    restarted = await cluster.start(*SERVE, journal=journal)
    assert cluster.token_version(connection_id) == 2
    content = await cluster.read(restarted, connection_id)
    cluster.simulator.state.tokens.find_access_token(content["access_token"])
    stats = await cluster.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_a_process_killed_during_a_refresh_can_read_immediately_after_the_restart(
    cluster: Cluster, clock: FileClock, tmp_path: Path
) -> None:
    first = await cluster.start_with_test_clock()
    connection_id = await cluster.connect(first)
    clock.set_ahead(3 * 3600)
    await cluster.simulator.fault(REFRESH_PATH, "hang")
    request = asyncio.create_task(cluster.read(first, connection_id))
    await wait_until(lambda: cluster.simulator.state.call_log.stats()["in_flight"] == 1)
    first.signal(signal.SIGKILL)
    with pytest.raises(ClientError):
        await request
    restarted = await cluster.start_with_test_clock(journal=tmp_path / first.url.rpartition(":")[2])
    async with asyncio.timeout(LEASE_WAIT.total_seconds() / 2):
        content = await cluster.read(restarted, connection_id)
    cluster.simulator.state.tokens.find_access_token(content["access_token"])
    calls = cluster.simulator.state.call_log.calls(path=REFRESH_PATH)
    assert [call["verdict"] for call in calls] == ["ok", "hung", "ok"]  # The first is the exchange.
    assert (await cluster.simulator.stats())["refreshes"] == 1


async def test_a_replica_whose_clock_is_61_seconds_ahead_does_not_refresh_inside_anothers_lease(
    cluster: Cluster, tmp_path: Path
) -> None:
    ahead = FileClock(tmp_path / "ahead")
    ahead.set_ahead(REFRESH_LEASE.total_seconds() + 1)
    first = await cluster.start(*SERVE)
    wrong = await cluster.start("-m", "tests.tokens.replicas", str(tmp_path / "ahead"), "wrong")
    connection_id = await cluster.connect(first)
    await cluster.simulator.fault(REFRESH_PATH, "hang")
    refreshing = asyncio.create_task(cluster.refresh(first, connection_id))
    call_log, calls = cluster.simulator.state.call_log, cluster.stack.gateway.calls
    await wait_until(lambda: call_log.stats()["in_flight"] == 1)
    calls.clear()
    waiting = asyncio.create_task(cluster.refresh(wrong, connection_id))
    await wait_until(lambda: calls["POST /rest/v1/rpc/connector_acquire_refresh_lease"] >= 3)
    cluster.simulator.state.faults.clear()
    assert (await refreshing)["status"] == (await waiting)["status"] == "active"
    stats = await cluster.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)
    assert cluster.token_version(connection_id) == 2
