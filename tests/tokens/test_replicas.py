"""Real service processes on one Supabase, which are stopped and killed by signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from connector.settings import OWN_PREFIXES
from connector.tokens import LEASE_WAIT, REFRESH_LEASE
from tests.cli.runner import environment, first_line_with
from tests.manual_clock import ManualClock
from tests.processes import free_port
from tests.running_service import (
    AS_SERVER,
    BUSINESS_APP,
    LOGIN_KIT_APP,
    Json,
    Simulator,
    connect_account,
)
from tests.supabase_stack import ROOT, Stack
from tiktok_simulator import STATE, build_simulator, serve_application

from .harness import REFRESH_PATH
from .replicas import FileClock

SERVE = ("-m", "connector", "serve")
CLOCK_FILE = "seconds_ahead"


@dataclass(frozen=True)
class ServiceProcess:
    process: Process
    url: str

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Cluster:
    """Service processes on one Supabase, and a simulated TikTok in this process."""

    def __init__(
        self, stack: Stack, simulator: Simulator, path: Path, exit_stack: AsyncExitStack
    ) -> None:
        self.stack = stack
        self.simulator = simulator
        self.http = simulator.http
        self._path = path
        self._exit_stack = exit_stack

    async def start(self, *command: str, journal: Path | None = None) -> ServiceProcess:
        port = str(free_port())
        settings = environment(self.simulator) | self.stack.environment()
        journal = journal or self._path / port
        settings |= {"CONNECTOR_PORT": port, "CONNECTOR_JOURNAL": str(journal)}
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(OWN_PREFIXES)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command),
            cwd=ROOT,
            env=inherited | settings,
            stdout=PIPE,
        )
        self._exit_stack.push_async_callback(_kill, process)
        await first_line_with(process, "Ready at")
        return ServiceProcess(process, f"http://127.0.0.1:{port}")

    async def start_with_test_clock(self, *, journal: Path | None = None) -> ServiceProcess:
        clock_file = str(self._path / CLOCK_FILE)
        return await self.start("-m", "tests.tokens.replicas", clock_file, journal=journal)

    async def connect(self, service: ServiceProcess) -> str:
        reply = await connect_account(self.http, service.url, self.simulator, family="login_kit")
        # No background refresh runs before the test does.
        self.stack.sql("update connector.connections set due_at = now() + interval '1 year'")
        return str(reply["connection_id"])

    async def read(self, service: ServiceProcess, connection_id: str) -> Json:
        url = f"{service.url}/connections/{connection_id}/token"
        async with self.http.get(url, headers=AS_SERVER) as response:
            assert response.status == 200, await response.text()
            content: Json = await response.json()
            return content

    async def refresh(self, service: ServiceProcess, connection_id: str) -> Json:
        url = f"{service.url}/connections/{connection_id}/refresh"
        async with self.http.post(url, headers=AS_SERVER) as response:
            assert response.status == 200, await response.text()
            content: Json = await response.json()
            return content

    def token_version(self, connection_id: str) -> int:
        [row] = self.stack.sql(
            "select token_version from connector.connections where id = $1", connection_id
        )
        return int(row["token_version"])

    def results(self, connection_id: str) -> list[str]:
        rows = self.stack.sql(
            "select result from connector.attempts where connection_id = $1 order by id",
            connection_id,
        )
        return [row["result"] for row in rows]


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture
def clock(tmp_path: Path) -> FileClock:
    clock = FileClock(tmp_path / CLOCK_FILE)
    clock.set_ahead(0)
    return clock


@pytest.fixture
async def cluster(stack: Stack, tmp_path: Path, clock: FileClock) -> AsyncIterator[Cluster]:
    stack.truncate()
    app = build_simulator(now=lambda: clock.now().timestamp(), apps=(BUSINESS_APP, LOGIN_KIT_APP))
    async with (
        serve_application(app) as url,
        ClientSession() as http,
        AsyncExitStack() as exit_stack,
    ):
        yield Cluster(stack, Simulator(url, app, ManualClock(), http), tmp_path, exit_stack)
        app[STATE].faults.clear()


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.01)


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
