"""`connector serve` as an operator runs it: a process of its own, which a test may kill."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.houses import AS_SERVER, Json, environ_for, state_for
from tests.places import Place, in_file, in_stack
from tests.processes import confined

PATIENCE = 30
ROOT = Path(__file__).parents[2]
REPEATABLE = {"tiktok_unreachable", "store_unreachable", "busy"}


class Service:
    """One after the other on the same port, with the same files: what a restart leaves in place."""

    def __init__(self, directory: Path, simulator_url: str, **environ: str) -> None:
        self._directory = directory
        self._environ = environ_for(directory, simulator_url) | environ
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._environ["CONNECTOR_PUBLIC_URL"]
        self.database = directory / "connector.db"
        self.log = directory / "log"
        self.journal = directory / "connector.journal"

    async def start(self, **environ: str) -> None:
        inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it is over at once
                confined(sys.executable, "-m", "connector", "serve"),
                cwd=self._directory,
                env=inherited | self._environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with ClientSession() as http, asyncio.timeout(PATIENCE):
            while not await self._is_up(http):  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.01)

    async def _is_up(self, http: ClientSession) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            async with http.get(f"{self.url}/healthz") as answer:
                return answer.status == 200
        except ClientConnectionError:
            return False

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE)


class Visitor:
    """Somebody with a code, at any number of services."""

    def __init__(self, http: ClientSession, user: UserId, *services: Service) -> None:
        self._http = http
        self._user = user
        self._services = services

    async def state(self, family: str = "marketing") -> str:
        url = self._services[0].url
        return await state_for(self._http, url, family=family, user_id=self._user)

    async def post(self, code: str, state: str, *, at: int = 0) -> tuple[int, Json]:
        body = {"code": code, "state": state}
        url = f"{self._services[at].url}/oauth/exchange"
        async with self._http.post(url, json=body) as answer:
            told: Json = await answer.json()
            return answer.status, told

    async def exchanged(self, code: str, state: str) -> Json:
        """As a good frontend has it: the same again, as long as that is said to help."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status, told = await self.post(code, state)
                if status == 200:
                    return told
                assert told["code"] in REPEATABLE, told
                await asyncio.sleep(0.05)

    async def ask(self, method: str, path: str, **more: Any) -> Json:
        """As the customer's server."""
        url = self._services[0].url + path
        async with self._http.request(method, url, headers=AS_SERVER, **more) as answer:
            assert answer.status == 200, await answer.text()
            told: Json = await answer.json()
            return told

    async def connections(self) -> list[Json]:
        listed = await self.ask("GET", f"/connections?user_id={self._user}")
        connections: list[Json] = listed["connections"]
        return connections


def settled(
    request: pytest.FixtureRequest, founding: Callable[..., Service], kind: str
) -> tuple[Place, Service]:
    """A service, not yet started, and the place where it keeps what it knows."""
    if kind == "sqlite":
        service = founding(kind)
        return in_file(service.database), service
    place = in_stack(request.getfixturevalue("stack"), kind)
    return place, founding(kind, **place.environ)
