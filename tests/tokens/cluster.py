"""Real service processes on one database, and a simulated TikTok in the process of the test."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from connector.settings import OWN_PREFIXES
from tests.cli.runner import environment, first_line_with
from tests.database_views import DatabaseView
from tests.processes import free_port
from tests.running_service import AS_SERVER, Json, Simulator, connect_account
from tests.supabase_stack import ROOT, Stack

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

    async def start(
        self, *command: str, journal: Path | None = None, database: DatabaseView | None = None
    ) -> ServiceProcess:
        port = str(free_port())
        settings = environment(self.simulator)
        settings |= self.stack.environment() if database is None else database.environ
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

    async def start_with_test_clock(
        self, *, journal: Path | None = None, database: DatabaseView | None = None
    ) -> ServiceProcess:
        command = ("-m", "tests.tokens.replicas", str(self._path / CLOCK_FILE))
        return await self.start(*command, journal=journal, database=database)

    async def connect(self, service: ServiceProcess) -> str:
        connection_id = await self.connect_due(service)
        # No background refresh runs before the test does.
        self.stack.sql("update connector.connections set due_at = now() + interval '1 year'")
        return connection_id

    async def connect_due(self, service: ServiceProcess) -> str:
        reply = await connect_account(self.http, service.url, self.simulator, family="login_kit")
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


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.01)
