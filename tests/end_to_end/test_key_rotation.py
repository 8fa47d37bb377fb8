"""A key is replaced on two replicas, one restart after the other, while people and servers use them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.encryption import EncryptionKey
from connector.model import UserId
from tests.database_views import DatabaseView, supabase_view
from tests.running_service import AS_SERVER, Json, Simulator
from tests.supabase_stack import Stack

from .service_process import ROOT, NewService, ServiceProcess

OLD, NEW = EncryptionKey.generate("old").format(), EncryptionKey.generate("new").format()
SETTING = "CONNECTOR_ENCRYPTION_KEYS"


class LoadBalancer:
    """Sends requests to replicas that are not being restarted, and counts the responses outside 2xx."""

    def __init__(
        self, http: ClientSession, simulator: Simulator, replicas: list[ServiceProcess]
    ) -> None:
        self._http = http
        self._simulator = simulator
        self._available = replicas
        self._idle = asyncio.Condition()
        self._running: Counter[str] = Counter()
        self._turn = 0
        self.failures: list[str] = []
        self.requests = 0
        self.connection_id = ""

    async def request(self, method: str, path: str, **options: object) -> Json:
        self._turn += 1
        replica = self._available[self._turn % len(self._available)]
        self._running[replica.url] += 1
        try:
            async with self._http.request(method, replica.url + path, **options) as response:  # type: ignore[arg-type]  # options of aiohttp
                body: Json = await response.json()
        finally:
            self._running[replica.url] -= 1
            async with self._idle:
                self._idle.notify_all()
        self.requests += 1
        if response.status not in range(200, 300):
            self.failures.append(f"{method} {path} {response.status} {body}")
        return body

    async def restart(self, replica: ServiceProcess, keys: str) -> None:
        self._available = [other for other in self._available if other is not replica]
        async with self._idle:
            await self._idle.wait_for(lambda: not self._running[replica.url])
        await asyncio.to_thread(replica.stop)
        await replica.start(**{SETTING: keys})
        self._available = [*self._available, replica]
        for _ in range(3):  # Now the replicas have different lists.
            await self.use()

    async def connect(self) -> str:
        """The state of one replica is checked by another one."""
        user = UserId(str(uuid4()))
        start = {"user_id": user, "family": "login_kit"}
        state = (await self.request("POST", "/oauth/start", json=start, headers=AS_SERVER))["state"]
        code = await self._simulator.consent("login_kit", person=user)
        body = {"code": code, "state": state}
        return str((await self.request("POST", "/oauth/exchange", json=body))["connection_id"])

    async def use(self) -> None:
        """Every response comes from either replica: tokens, tickets and refreshes of the other one too."""
        ticket = await self.request(
            "POST", "/tickets", json={"user_id": str(uuid4())}, headers=AS_SERVER
        )
        as_person = {"Authorization": f"Bearer {ticket['ticket']}"}
        await self.request("GET", "/connections", headers=as_person)
        connection = f"/connections/{await self.connect()}"
        for _ in range(3):
            await self.request("GET", f"{connection}/token", headers=AS_SERVER)
        await self.request("POST", f"{connection}/refresh", headers=AS_SERVER)
        for path in (connection, f"/connections/{self.connection_id}"):
            for _ in range(2):
                await self.request("GET", f"{path}/token", headers=AS_SERVER)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        stopped = asyncio.Event()

        async def use_until_stopped() -> None:
            while not stopped.is_set():
                await self.use()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(use_until_stopped())
            yield
            stopped.set()


@pytest.fixture
def database(stack: Stack) -> DatabaseView:
    return supabase_view(stack, "supabase")


async def run_command(database: DatabaseView, simulator: Simulator, keys: str, *words: str) -> str:
    """Runs the command with the settings of a replica; returns its output."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | database.environ
    environ |= {
        "TIKTOK_CLIENT_KEY": "awkey",
        "TIKTOK_CLIENT_SECRET": "canary-kit-app-secret",
        "TIKTOK_OPEN_API_URL": simulator.url,
        SETTING: keys,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "connector", *words, env=environ, stdout=pipe, stderr=pipe, cwd="/tmp"
    )
    out, _ = await process.communicate()
    return out.decode()


async def test_a_rolling_rotation_of_two_replicas_under_load_has_no_response_outside_2xx(
    http: ClientSession, simulator: Simulator, database: DatabaseView, new_service: NewService
) -> None:
    replicas = [
        new_service(name, **database.environ | {SETTING: OLD}) for name in ("first", "second")
    ]
    await asyncio.gather(*(replica.start() for replica in replicas))
    balancer = LoadBalancer(http, simulator, list(replicas))
    balancer.connection_id = await balancer.connect()
    steps = []
    async with balancer.load():
        for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
            for replica in replicas:
                await balancer.restart(replica, keys)
            steps.append(await run_command(database, simulator, keys, "check"))
        await run_command(database, simulator, f"{NEW},{OLD}", "keys", "rotate")
        steps.append(await run_command(database, simulator, f"{NEW},{OLD}", "check"))
        for replica in replicas:
            await balancer.restart(replica, NEW)
    assert balancer.failures == []
    assert balancer.requests > 100
    assert "If new is the new key, step 1 of the rotation is done here" in steps[0]
    assert "If new is the new key, step 2 of the rotation is done here" in steps[1]
    assert "If old is the old key, step 3 is done" in steps[2]
    encrypted = [row["encrypted_tokens"] for row in database.rows("connections")]
    assert {text.split(".")[1] for text in encrypted} == {"new"}


async def test_check_says_that_a_replica_lacks_the_key_that_another_one_encrypts_with(
    http: ClientSession, simulator: Simulator, database: DatabaseView, new_service: NewService
) -> None:
    replica = new_service("skipped", **database.environ | {SETTING: f"{NEW},{OLD}"})
    await replica.start()
    await LoadBalancer(http, simulator, [replica]).connect()
    output = await run_command(database, simulator, OLD, "check")
    assert "PROBLEM  CONNECTOR_ENCRYPTION_KEYS: 1 stored tokens are encrypted under new" in output
    assert "step 1 is not finished on this replica" in output
