"""The ground a benchmark stands on: one directory, one TikTok, one project, services on each store.

Everything is started when first asked for and gone when the bench is left.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from connector.seal import Key, Seal
from tests.stack import Stack

from ._programs import ROOT, Helper, Load, Program, TikTok, wait_until_ready
from ._table import Figures

StoreName = Literal["SQLite", "PostgREST", "Postgres"]
STORES: tuple[StoreName, ...] = ("SQLite", "PostgREST", "Postgres")
API_KEY = "bench-server-key-0123456789"
AUTHORIZATION = f"Authorization: Bearer {API_KEY}\r\n"


class Service(Program):
    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        super().__init__(
            sys.executable,
            "-m",
            "connector",
            "serve",
            environment={**environment, "CONNECTOR_PORT": str(self.port)},
            directory=directory,
        )

    def ready(self) -> Self:
        wait_until_ready(self, self.port)
        return self


class Bench:
    def __init__(self) -> None:
        self._undo = ExitStack()
        self.key = Key.new("bench")
        self.seal = Seal((self.key,))
        self._services = 0

    def __enter__(self) -> Self:
        for stop in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop, signal.default_int_handler)
        self.directory = Path(tempfile.mkdtemp(prefix="connector-bench-"))
        self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        return self

    def __exit__(self, *failure: object) -> None:
        self._undo.close()

    @cached_property
    def tiktok(self) -> TikTok:
        return self._undo.enter_context(TikTok())

    @cached_property
    def load(self) -> Load:
        return self.another_load()

    def another_load(self) -> Load:
        return self._undo.enter_context(Load(self.directory))

    @cached_property
    def stack(self) -> Stack:
        return self._undo.enter_context(Stack(durable=True))

    @cached_property
    def supabase_url(self) -> str:
        """PostgREST behind the leanest of gateways, the same for everybody measured."""
        address = self.stack.directory / "postgrest.sock"
        return self._undo.enter_context(Helper("_gateway", address)).url

    @property
    def admin(self) -> str:
        """Into Postgres as one who may do anything there."""
        return self.stack.dsn.replace("postgres@", "supabase_admin@")

    def database(self) -> Path:
        return self.directory / "connector.db"

    def serve(self, store: StoreName, **more: str) -> Service:
        """Ready, and stopped at the end at the latest."""
        return self.start(store, **more).ready()

    def start(self, store: StoreName, **more: str) -> Service:
        self._services += 1
        directory = self.directory / f"service-{self._services}"
        directory.mkdir()
        environment = {**self._settings(), **self._of(store), **more}
        return self._undo.enter_context(Service(directory, environment))

    def run(
        self,
        *command: str | Path,
        environment: dict[str, str] | None = None,
        directory: Path = ROOT,
    ) -> Program:
        return self._undo.enter_context(
            Program(*command, environment=environment, directory=directory)
        )

    def _settings(self) -> dict[str, str]:
        return {
            "CONNECTOR_ENCRYPTION_KEYS": self.key.text(),
            "CONNECTOR_API_KEYS": API_KEY,
            "CONNECTOR_LOG": "warning",
            "TIKTOK_APP_ID": "7001",
            "TIKTOK_APP_SECRET": "bench-secret",
            "TIKTOK_CLIENT_KEY": "bench-key",
            "TIKTOK_CLIENT_SECRET": "bench-secret",
            "TIKTOK_REDIRECT_URI": "http://localhost/oauth/callback",
            "TIKTOK_BUSINESS_API_URL": self.tiktok.url,
            "TIKTOK_OPEN_API_URL": self.tiktok.url,
        }

    def _of(self, store: StoreName) -> dict[str, str]:
        if store == "SQLite":
            return {"CONNECTOR_DATABASE": str(self.database())}
        project = {
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_SERVICE_ROLE_KEY": self.stack.service_role_key,
        }
        return project if store == "PostgREST" else {**project, "SUPABASE_DB_URL": self.stack.dsn}


def measured(
    program: Program,
    load: Load,
    port: int,
    requests: list[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    again: bool = True,
) -> Figures:
    cpu = program.cpu
    load.begin(port, requests, connections=connections, seconds=seconds, rate=rate, again=again)
    told = load.end()
    count = max(told["count"], 1)
    return Figures(
        rate=told["count"] / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
        cpu=(program.cpu - cpu) / count,
        failed=told["failed"],
        refused=told["refused"],
    )


def request(method: str, path: str, *, head: str = "", body: bytes = b"") -> bytes:
    lines = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}"
    if body:
        lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{lines}\r\n".encode() + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cores() -> int:
    return os.cpu_count() or 1
