"""Processes share a journal folder, and one of them dies and never starts again."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientError

from connector.errors import StoreUnreachable
from connector.tokens import MAX_REFRESH_LEASE, REFRESH_LEASE
from tests.database_views import DatabaseView, sqlite_view, supabase_view
from tests.running_service import AS_SERVER
from tests.supabase_stack import Stack

from .cluster import SERVE, Cluster, ServiceProcess, wait_until
from .harness import REFRESH_PATH, Gate, Replica, TokenHarness
from .replicas import FileClock
from .test_dead_process_leases import connect_expired, kill_during_calls, lease_owner

LEASE_SECONDS = REFRESH_LEASE.total_seconds()


async def kill_before_the_save(harness: TokenHarness, replica: Replica, connection_id: str) -> None:
    """Kills the replica when TikTok's response is in its journal and not in the store."""
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    await gate.reached.wait()
    await replica.kill()
    await asyncio.wait([refreshing])


async def dead_tokens_presented(harness: TokenHarness) -> int:
    return int((await harness.simulator.stats())["dead_refresh_token_presented"])


@asynccontextmanager
async def adopting(replica: Replica) -> AsyncIterator[None]:
    stopped = asyncio.Event()
    loop = asyncio.create_task(replica.service.token_recovery.adopt_until(stopped))
    yield
    stopped.set()
    await loop


async def test_a_running_process_saves_the_response_of_a_killed_process_well_inside_its_lease(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    async with adopting(other):
        await kill_before_the_save(harness, replica, connection_id)
        await harness.clock.until_asleep()
        harness.clock.advance(LEASE_SECONDS / 6)
        await harness.clock.until_asleep()
    assert (await other.stored(connection_id)).token_version == 2
    assert harness.is_accepted(await other.tokens(connection_id))
    assert other.service.journal.entry_count == 0
    await other.refresh(connection_id)
    assert await dead_tokens_presented(harness) == 0


async def test_a_running_process_releases_the_leases_of_a_killed_process(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    await harness.wait_for_tiktok_calls()
    await replica.kill()
    await asyncio.wait([refreshing])
    harness.end_faults()
    await other.service.token_recovery.adopt()
    started = harness.clock.now()
    await other.refresh(connection_id)
    assert harness.clock.now() == started


async def test_a_process_that_dies_while_the_leases_of_another_one_are_released_is_not_forgotten(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_ids = await connect_expired(harness, replica, 2)
    survivor = await harness.start_replica()
    recovery = survivor.service.token_recovery
    await kill_during_calls(REFRESH_PATH, harness, replica, replica.read(connection_ids[0]))
    gate = survivor.database.before_call["release_leases"] = Gate()
    first = asyncio.create_task(recovery.adopt())
    await gate.reached.wait()
    await kill_during_calls(REFRESH_PATH, harness, other, other.read(connection_ids[1]))
    second = asyncio.create_task(recovery.adopt())
    while len(recovery._dead_owners) < 2:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.001)
    gate.open.set()
    await asyncio.gather(first, second)
    assert [lease_owner(harness, connection_id) for connection_id in connection_ids] == [None, None]


async def test_a_rejected_refresh_token_ends_no_connection_if_a_dead_process_has_the_newer_tokens(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await kill_before_the_save(harness, replica, connection_id)
    harness.clock.advance(LEASE_SECONDS + 1)
    stored = await other.refresh(connection_id)
    assert (stored.status, stored.token_version) == ("active", 2)
    assert harness.is_accepted(await other.tokens(connection_id))
    assert "reconnect_required" not in harness.events()


async def test_a_rejected_refresh_token_is_not_believed_while_the_store_cannot_save_newer_tokens(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await kill_before_the_save(harness, replica, connection_id)
    harness.clock.advance(LEASE_SECONDS + 1)
    other.database.faults["apply_outcomes"] = "before"
    with pytest.raises(StoreUnreachable):
        await other.refresh(connection_id)
    other.database.faults.clear()
    harness.clock.advance(LEASE_SECONDS + 1)
    await other.run_background()
    assert (await other.stored(connection_id)).status == "active"
    assert harness.is_accepted(await other.tokens(connection_id))


async def test_adoption_continues_after_the_store_was_unreachable(
    harness: TokenHarness, replica: Replica, other: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    connection_id = await harness.connect(replica)
    await kill_before_the_save(harness, replica, connection_id)
    other.database.faults["*"] = "before"
    async with adopting(other):
        await harness.clock.until_asleep()
        harness.clock.advance(LEASE_SECONDS / 6)
        await harness.clock.until_asleep()
        assert "journal adoption postponed error=store_unreachable" in caplog.text
        other.database.faults.clear()
        harness.clock.advance(LEASE_SECONDS / 6)
        await harness.clock.until_asleep()
    assert (await other.stored(connection_id)).token_version == 2


async def test_the_tokens_of_a_killed_process_are_served_from_memory_while_the_store_rejects_them(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await kill_before_the_save(harness, replica, connection_id)
    other.database.faults["apply_outcomes"] = "before"
    with pytest.raises(StoreUnreachable):
        await other.service.token_recovery.adopt()
    assert harness.is_accepted((await other.read(connection_id)).tokens)
    assert await dead_tokens_presented(harness) == 0


# A volume for each replica


async def test_a_replica_with_its_own_volume_that_starts_again_saves_its_response_before_another_one_refreshes(
    harness: TokenHarness,
) -> None:
    own, elsewhere = (
        {"CONNECTOR_JOURNAL": str(harness.path / name)} for name in ("own", "elsewhere")
    )
    replica, other = await harness.start_replica(own), await harness.start_replica(elsewhere)
    connection_id = await harness.connect(replica)
    harness.clock.advance(0.78 * 2 * 3600)
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    await replica.background.run_batch()
    await gate.reached.wait()
    await replica.kill()
    harness.clock.advance(5 * LEASE_SECONDS)
    await other.run_background()
    assert harness.is_accepted((await other.read(connection_id)).tokens)
    assert await harness.refresh_count() == 1
    restarted = await harness.start_replica(own)
    assert (await restarted.stored(connection_id)).token_version == 2
    harness.clock.advance(2 * 3600)
    await other.run_background()
    assert harness.is_accepted((await other.read(connection_id)).tokens)
    assert await dead_tokens_presented(harness) == 0


async def test_the_lease_of_a_replica_that_never_comes_back_ends_while_its_token_is_valid(
    harness: TokenHarness,
) -> None:
    """Its response was never received, so the old refresh token still works."""
    own, elsewhere = (
        {"CONNECTOR_JOURNAL": str(harness.path / name)} for name in ("own", "elsewhere")
    )
    replica, other = await harness.start_replica(own), await harness.start_replica(elsewhere)
    connection_id = await harness.connect(replica)
    old = await replica.tokens(connection_id)
    harness.clock.advance(0.78 * 2 * 3600)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    await replica.background.run_batch()
    await harness.wait_for_tiktok_calls()
    await replica.kill()
    harness.end_faults()
    harness.clock.advance(MAX_REFRESH_LEASE.total_seconds())
    await other.run_background()
    assert old.expires_at is not None
    assert harness.clock.now() < old.expires_at
    assert (await other.stored(connection_id)).token_version == 2


# Real processes and kill -9


@pytest.fixture(params=["sqlite", "supabase"])
def database(request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster) -> DatabaseView:
    if request.param == "supabase":
        return supabase_view(cluster.stack, request.param)
    return sqlite_view(tmp_path / "connector.db")


@contextmanager
def writes_waiting(database: DatabaseView, stack: Stack) -> Iterator[None]:
    if database.kind != "sqlite":
        with stack.gateway.failing("hang", on="connector_apply_outcomes"):
            yield
        return
    path = database.environ["CONNECTOR_DATABASE"]
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


async def kill_during_the_save(
    cluster: Cluster, service: ServiceProcess, database: DatabaseView, journal: Path, id: str
) -> None:
    await cluster.simulator.fault(REFRESH_PATH, "hang")
    request = asyncio.create_task(cluster.refresh(service, id))
    call_log = cluster.simulator.state.call_log
    await wait_until(lambda: call_log.stats()["in_flight"] == 1)
    with writes_waiting(database, cluster.stack):
        cluster.simulator.state.faults.clear()
        await wait_until(
            lambda: any(b'"refresh",{' in wal.read_bytes() for wal in journal.glob("*.db-wal"))
        )
        service.signal(signal.SIGKILL)
        with pytest.raises(ClientError):
            await request


async def test_a_sibling_saves_the_response_of_a_replica_that_was_killed_and_never_starts_again(
    cluster: Cluster, clock: FileClock, tmp_path: Path, database: DatabaseView
) -> None:
    journal = tmp_path / "shared"
    killed = await cluster.start_with_test_clock(journal=journal, database=database)
    sibling = await cluster.start_with_test_clock(journal=journal, database=database)
    connection_id = await cluster.connect_due(killed)
    await kill_during_the_save(cluster, killed, database, journal, connection_id)
    await wait_until(lambda: database.row("connections")["token_version"] == 2)
    for hours in (0, 2, 4):  # The sibling goes on refreshing, with the newest token.
        clock.set_ahead(3600 * hours)
        content = await cluster.read(sibling, connection_id)
        cluster.simulator.state.tokens.find_access_token(content["access_token"])
    stats = await cluster.simulator.stats()
    assert stats["refreshes"] >= 3
    assert stats["dead_refresh_token_presented"] == 0
    assert database.row("connections")["status"] == "active"
    async with cluster.http.get(f"{sibling.url}/metrics", headers=AS_SERVER) as response:
        assert "connector_journal_orphans 0.0" in await response.text()


async def test_a_sibling_completes_the_grant_of_a_replica_that_was_killed_and_never_starts_again(
    cluster: Cluster, tmp_path: Path, database: DatabaseView
) -> None:
    journal = tmp_path / "shared"
    killed = await cluster.start(*SERVE, journal=journal, database=database)
    await cluster.start(*SERVE, journal=journal, database=database)
    await cluster.simulator.fault("v2/user/info", "hang")
    connecting = asyncio.create_task(cluster.connect_due(killed))
    call_log = cluster.simulator.state.call_log
    await wait_until(lambda: bool(call_log.calls(path="v2/user/info")))
    killed.signal(signal.SIGKILL)
    with pytest.raises(ClientError):
        await connecting
    cluster.simulator.state.faults.clear()
    await wait_until(lambda: bool(database.rows("connections")))
    assert database.row("connections")["status"] == "active"
    assert call_log.counts["exchanges"] == 1
    assert not call_log.counts["used_code_presented"]
