"""`connector serve` as an operator runs it: in its own process, which a test can kill."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.database_views import DatabaseView, sqlite_view, supabase_view
from tests.processes import kill_with_parent
from tests.running_service import AS_SERVER, Json, environ_for, state_for

TIMEOUT_SECONDS = 30
ROOT = Path(__file__).parents[2]
RETRYABLE_CODES = {"tiktok_unreachable", "store_unreachable", "busy"}


class ServiceProcess:
    """Each start uses the same port and the same files, as a restart does."""

    def __init__(
        self, folder: Path, simulator_url: str, *, module: str = "connector", **environ: str
    ) -> None:
        self._folder = folder
        self._module = module
        self._environ = environ_for(folder, simulator_url) | environ
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._environ["CONNECTOR_PUBLIC_URL"]
        self.database = folder / "connector.db"
        self.log = folder / "log"
        self.journal = folder / "connector.journal"

    async def start(self, **environ: str) -> None:
        inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                kill_with_parent(sys.executable, "-m", self._module, "serve"),
                cwd=self._folder,
                env=inherited | self._environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with ClientSession() as http, asyncio.timeout(TIMEOUT_SECONDS):
            while not await self._is_up(http):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.01)

    async def _is_up(self, http: ClientSession) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            async with http.get(f"{self.url}/healthz") as response:
                return response.status == 200
        except ClientConnectionError:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return self._process.pid

    def kill(self) -> None:
        """Kills the process with SIGKILL, which the process cannot handle."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(TIMEOUT_SECONDS)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(TIMEOUT_SECONDS)


class NewService(Protocol):
    def __call__(self, name: str, **environ: str) -> ServiceProcess: ...


class Customer:
    """Acts as a user's browser that posts codes, and as the customer's server, at one or more services."""

    def __init__(self, http: ClientSession, user: UserId, *services: ServiceProcess) -> None:
        self._http = http
        self._user = user
        self._services = services

    async def state(self, family: str = "marketing") -> str:
        url = self._services[0].url
        return await state_for(self._http, url, family=family, user_id=self._user)

    async def post_code(self, code: str, state: str, *, at: int = 0) -> tuple[int, Json]:
        """Returns the status and body of the response of service number `at`."""
        body = {"code": code, "state": state}
        url = f"{self._services[at].url}/oauth/exchange"
        async with self._http.post(url, json=body) as response:
            reply: Json = await response.json()
            return response.status, reply

    async def post_code_until_accepted(self, code: str, state: str) -> Json:
        """Repeats the request as long as the error is retryable."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                status, reply = await self.post_code(code, state)
                if status == 200:
                    return reply
                assert reply["code"] in RETRYABLE_CODES, reply
                await asyncio.sleep(0.05)

    async def call_as_server(self, method: str, path: str, **options: Any) -> Json:
        url = self._services[0].url + path
        async with self._http.request(method, url, headers=AS_SERVER, **options) as response:
            assert response.status == 200, await response.text()
            body: Json = await response.json()
            return body

    async def connections(self) -> list[Json]:
        page = await self.call_as_server("GET", f"/connections?user_id={self._user}")
        connections: list[Json] = page["connections"]
        return connections


def new_service_with_database(
    request: pytest.FixtureRequest, new_service: NewService, kind: str
) -> tuple[ServiceProcess, DatabaseView]:
    """Returns a service that is not started yet, and a view of its database."""
    if kind == "sqlite":
        service = new_service(kind)
        return service, sqlite_view(service.database)
    database = supabase_view(request.getfixturevalue("stack"), kind)
    return new_service(kind, **database.environ), database


async def wait_until(condition: Callable[[], bool]) -> None:
    """Polls for a change in another process, for which no event exists."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
