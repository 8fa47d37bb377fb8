"""The environment of a benchmark: one directory, one TikTok, one Supabase project, services on each store.

Each part starts when it is first used and stops when the `Bench` context ends.
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

from connector.encryption import EncryptionKey, TokenCipher
from tests.supabase_stack import Stack

from ._programs import ROOT, LoadGenerator, Program, Server, TikTok, wait_until_ready
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

    def wait_until_ready(self) -> Self:
        wait_until_ready(self, self.port)
        return self


class Bench:
    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self.key = EncryptionKey.generate("bench")
        self.cipher = TokenCipher((self.key,))
        self._service_count = 0

    def __enter__(self) -> Self:
        for stop in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop, signal.default_int_handler)
        self.directory = Path(tempfile.mkdtemp(prefix="connector-bench-"))
        self._cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)
        return self

    def __exit__(self, *failure: object) -> None:
        self._cleanup.close()

    @cached_property
    def tiktok(self) -> TikTok:
        return self._cleanup.enter_context(TikTok())

    @cached_property
    def load_generator(self) -> LoadGenerator:
        return self.start_load_generator()

    def start_load_generator(self) -> LoadGenerator:
        return self._cleanup.enter_context(LoadGenerator(self.directory))

    @cached_property
    def stack(self) -> Stack:
        return self._cleanup.enter_context(Stack(durable=True))

    @cached_property
    def supabase_url(self) -> str:
        """PostgREST behind a minimal gateway, the same for every candidate."""
        socket_path = self.stack.directory / "postgrest.sock"
        return self.start_server("_gateway", socket_path).url

    @property
    def admin_dsn(self) -> str:
        """For Postgres, as a superuser."""
        return self.stack.dsn.replace("postgres@", "supabase_admin@")

    def sqlite_path(self) -> Path:
        return self.directory / "connector.db"

    def serve(self, store: StoreName, **settings: str) -> Service:
        """Starts a service and waits until it is ready."""
        return self.start(store, **settings).wait_until_ready()

    def start(self, store: StoreName, **settings: str) -> Service:
        self._service_count += 1
        directory = self.directory / f"service-{self._service_count}"
        directory.mkdir()
        environment = {**self._settings(), **self._store_settings(store), **settings}
        return self._cleanup.enter_context(Service(directory, environment))

    def start_server(self, module: str, *arguments: str | Path) -> Server:
        return self._cleanup.enter_context(Server(module, *arguments))

    def run(
        self,
        *command: str | Path,
        environment: dict[str, str] | None = None,
        directory: Path = ROOT,
    ) -> Program:
        return self._cleanup.enter_context(
            Program(*command, environment=environment, directory=directory)
        )

    def _settings(self) -> dict[str, str]:
        return {
            "CONNECTOR_ENCRYPTION_KEYS": self.key.format(),
            "CONNECTOR_API_KEYS": API_KEY,
            "CONNECTOR_LOG_LEVEL": "warning",
            "TIKTOK_APP_ID": "7001",
            "TIKTOK_APP_SECRET": "bench-secret",
            "TIKTOK_CLIENT_KEY": "bench-key",
            "TIKTOK_CLIENT_SECRET": "bench-secret",
            "TIKTOK_REDIRECT_URI": "http://localhost/oauth/callback",
            "TIKTOK_BUSINESS_API_URL": self.tiktok.url,
            "TIKTOK_OPEN_API_URL": self.tiktok.url,
        }

    def _store_settings(self, store: StoreName) -> dict[str, str]:
        if store == "SQLite":
            return {"CONNECTOR_DATABASE": str(self.sqlite_path())}
        project = {
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_SERVICE_ROLE_KEY": self.stack.service_role_key,
        }
        return project if store == "PostgREST" else {**project, "SUPABASE_DB_URL": self.stack.dsn}


def measure_load(
    program: Program,
    load_generator: LoadGenerator,
    port: int,
    requests: list[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    repeat: bool = True,
) -> Figures:
    cpu_before = program.cpu_seconds
    load_generator.start(
        port, requests, connections=connections, seconds=seconds, rate=rate, repeat=repeat
    )
    result = load_generator.finish()
    count = max(result["count"], 1)
    return Figures(
        rate=result["count"] / result["seconds"],
        p50=result["p50"],
        p99=result["p99"],
        cpu=(program.cpu_seconds - cpu_before) / count,
        failed=result["failed"],
        last_error=result["last_error"],
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
