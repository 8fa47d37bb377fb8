"""Real service processes on one Supabase, and what the kernel can do to them."""

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
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from connector.keeper import LEASE, PATIENCE
from connector.settings.reading import OURS
from connector.simulator import WORLD
from connector.simulator import app as simulating
from tests.cli.shell import environment, line_of
from tests.clocks import TurnedClock
from tests.houses import ADS, AS_SERVER, KIT, Json, Simulator, connected
from tests.processes import free_port
from tests.stack import ROOT, Stack

from .replica import Ahead
from .scene import REFRESH

SERVE = ("-m", "connector", "serve")


@dataclass(frozen=True)
class Service:
    process: Process
    url: str

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Fleet:
    """Services on one Supabase, and a TikTok in this process."""

    def __init__(self, stack: Stack, simulator: Simulator, path: Path, leaving: Any) -> None:
        self.stack = stack
        self.simulator = simulator
        self.http = simulator.http
        self._path = path
        self._leaving: AsyncExitStack = leaving

    async def start(self, *command: str, journal: Path | None = None) -> Service:
        port = str(free_port())
        settings = environment(self.simulator) | self.stack.environment()
        journal = journal or self._path / port
        settings |= {"CONNECTOR_PORT": port, "CONNECTOR_JOURNAL": str(journal)}
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command),
            cwd=ROOT,
            env=inherited | settings,
            stdout=PIPE,
        )
        self._leaving.push_async_callback(_end, process)
        await line_of(process, holding="Ready at")
        return Service(process, f"http://127.0.0.1:{port}")

    async def connect(self, service: Service) -> str:
        told = await connected(self.http, service.url, self.simulator, family="login_kit")
        # Nobody's background is to come before the test does.
        self.stack.sql("update connector.connections set due_at = now() + interval '1 year'")
        return str(told["connection_id"])

    async def read(self, service: Service, id: str) -> Json:
        address = f"{service.url}/connections/{id}/token"
        async with self.http.get(address, headers=AS_SERVER) as answer:
            assert answer.status == 200, await answer.text()
            told: Json = await answer.json()
            return told

    async def refresh(self, service: Service, id: str) -> Json:
        address = f"{service.url}/connections/{id}/refresh"
        async with self.http.post(address, headers=AS_SERVER) as answer:
            assert answer.status == 200, await answer.text()
            told: Json = await answer.json()
            return told

    def version(self, id: str) -> int:
        [row] = self.stack.sql("select version from connector.connections where id = $1", id)
        return int(row["version"])

    def verdicts(self, id: str) -> list[str]:
        rows = self.stack.sql(
            "select verdict from connector.attempts where connection_id = $1 order by id", id
        )
        return [row["verdict"] for row in rows]


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture
def ahead(tmp_path: Path) -> Ahead:
    clock = Ahead(tmp_path / "ahead")
    clock.set(0)
    return clock


@pytest.fixture
async def fleet(stack: Stack, tmp_path: Path, ahead: Ahead) -> AsyncIterator[Fleet]:
    stack.truncate()
    app = simulating.build(now=lambda: ahead.now().timestamp(), apps=(ADS, KIT))
    async with (
        simulating.serving(app) as url,
        ClientSession() as http,
        AsyncExitStack() as leaving,
    ):
        yield Fleet(stack, Simulator(url, app, TurnedClock(), http), tmp_path, leaving)
        app[WORLD].faults.clear()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def test_300_reads_of_an_expired_connection_in_three_services_cost_one_call(
    fleet: Fleet, ahead: Ahead, tmp_path: Path
) -> None:
    command = ("-m", "tests.keeper.replica", str(tmp_path / "ahead"))
    services = await asyncio.gather(*(fleet.start(*command) for _ in range(3)))
    id = await fleet.connect(services[0])
    await fleet.simulator.post("/_sim/settings", {"latency_ms": 200})
    ahead.set(3 * 3600)
    reads = (fleet.read(services[n % 3], id) for n in range(300))
    answers = await asyncio.gather(*reads)
    assert len({told["access_token"] for told in answers}) == 1
    fleet.simulator.world.ledger.access(answers[0]["access_token"])
    assert (await fleet.simulator.stats())["refreshes"] == 1
    assert fleet.version(id) == 2


async def test_a_process_that_was_stopped_beyond_its_lease_finds_its_late_write_refused(
    fleet: Fleet, ahead: Ahead, tmp_path: Path
) -> None:
    command = ("-m", "tests.keeper.replica", str(tmp_path / "ahead"))
    one, two = await asyncio.gather(fleet.start(*command), fleet.start(*command))
    # So that what it brings home late is not dead already: the store alone must refuse it.
    await fleet.simulator.post("/_sim/settings", {"rotation": "none"})
    id = await fleet.connect(one)
    await fleet.simulator.fault(REFRESH, "hang")
    late = asyncio.create_task(fleet.refresh(one, id))
    await until(lambda: fleet.simulator.world.record.stats()["in_flight"] == 1)
    one.signal(signal.SIGSTOP)
    ahead.set(LEASE.total_seconds() + 1)
    await fleet.refresh(two, id)
    assert fleet.version(id) == 2
    newest = await fleet.read(two, id)

    fleet.simulator.world.faults.clear()
    await until(lambda: fleet.simulator.world.record.stats()["in_flight"] == 0)
    one.signal(signal.SIGCONT)
    await late
    assert (await fleet.simulator.stats())["refreshes"] == 2
    assert fleet.version(id) == 2
    assert fleet.verdicts(id) == ["ok", "ok", "superseded"]
    assert await fleet.read(one, id) == await fleet.read(two, id) == newest


async def test_a_process_that_was_killed_with_an_answer_in_its_journal_saves_it_when_it_is_back(
    fleet: Fleet, ahead: Ahead, tmp_path: Path
) -> None:
    one = await fleet.start(*SERVE)
    id = await fleet.connect(one)
    journal = tmp_path / one.url.rpartition(":")[2]
    with fleet.stack.gateway.failing("hang", on="connector_save_outcomes"):
        asking = asyncio.create_task(fleet.refresh(one, id))
        await until(lambda: b'"kind":"refresh"' in journal.read_bytes())
        one.signal(signal.SIGKILL)
        with pytest.raises(ClientError):
            await asking
    assert fleet.version(id) == 1
    again = await fleet.start(*SERVE, journal=journal)
    assert fleet.version(id) == 2
    told = await fleet.read(again, id)
    fleet.simulator.world.ledger.access(told["access_token"])
    stats = await fleet.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_a_process_that_was_killed_in_the_middle_of_a_refresh_reads_at_once_when_it_is_back(
    fleet: Fleet, ahead: Ahead, tmp_path: Path
) -> None:
    command = ("-m", "tests.keeper.replica", str(tmp_path / "ahead"))
    one = await fleet.start(*command)
    id = await fleet.connect(one)
    ahead.set(3 * 3600)
    await fleet.simulator.fault(REFRESH, "hang")
    asking = asyncio.create_task(fleet.read(one, id))
    await until(lambda: fleet.simulator.world.record.stats()["in_flight"] == 1)
    one.signal(signal.SIGKILL)
    with pytest.raises(ClientError):
        await asking
    again = await fleet.start(*command, journal=tmp_path / one.url.rpartition(":")[2])
    async with asyncio.timeout(PATIENCE.total_seconds() / 2):
        told = await fleet.read(again, id)
    fleet.simulator.world.ledger.access(told["access_token"])
    calls = fleet.simulator.world.record.calls(path=REFRESH)
    assert [call["verdict"] for call in calls] == ["ok", "hung", "ok"]  # The first is the exchange.
    assert (await fleet.simulator.stats())["refreshes"] == 1
