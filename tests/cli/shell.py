"""A terminal for tests: commands in this process, which is quick, or as people run them.

In this process a command runs in a thread of its own, beside the simulator, and its settings come
from the environment and the working directory as they would anywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.cli import main
from connector.model import UserId
from connector.settings.reading import OURS
from tests.houses import ADS, KIT, Simulator
from tests.people import ANNA, KEYS
from tests.processes import free_port
from tests.stack import ROOT

COMMAND = (sys.executable, "-m", "connector")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class Shell:
    """`environment` is what the commands see; `home` is where they run."""

    def __init__(
        self, home: Path, environment: dict[str, str], capture: pytest.CaptureFixture[str]
    ) -> None:
        self.home = home
        self.environment = environment
        self._capture = capture

    async def __call__(self, *arguments: str) -> Done:
        self._capture.readouterr()
        with self._lived_in():
            code = await asyncio.to_thread(main, arguments)
        said = self._capture.readouterr()
        return Done(code, said.out, said.err)

    async def run(self, *arguments: str) -> Done:
        """In a process of its own."""
        process = await self.start(*arguments)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def start(self, *arguments: str, stdout: int = PIPE, stderr: int = PIPE) -> Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, cwd=self.home, env=self.whole, stdout=stdout, stderr=stderr
        )

    @property
    def whole(self) -> dict[str, str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
        return inherited | {"PYTHONPATH": str(ROOT)} | self.environment

    @contextmanager
    def _lived_in(self) -> Iterator[None]:
        root, ours = logging.getLogger(), logging.getLogger("connector")
        before = (Path.cwd(), dict(os.environ), root.handlers[:], root.level, ours.level)
        os.chdir(self.home)
        os.environ.clear()
        os.environ.update(self.whole)
        try:
            yield
        finally:
            os.chdir(before[0])
            os.environ.clear()
            os.environ.update(before[1])
            root.handlers[:], root.level = before[2], before[3]
            ours.setLevel(before[4])

    # What a test does again and again.

    async def connect(
        self, tiktok: Simulator, *, user: UserId = ANNA, family: str = "marketing", **consent: Any
    ) -> str:
        """The new connection's id."""
        state = await self.state(user=user, family=family)
        code = await tiktok.consent(family, **consent)
        done = await self("exchange", code, "--state", state)
        assert done.code == 0, done.err
        return str(json.loads(done.out)["connection_id"])

    async def state(self, *, user: UserId = ANNA, family: str = "marketing") -> str:
        url = await self("auth-url", "--user", user, "--family", family)
        (state,) = parse_qs(urlsplit(url.out.strip()).query)["state"]
        return state

    async def shown(self, id: str) -> dict[str, Any]:
        listed = json.loads((await self("connections", "--json")).out)
        return next(dict(one) for one in listed if one["id"] == id)

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Behind the product's back, on SQLite."""
        with closing(sqlite3.connect(self.home / "connector.db")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def make_due(self) -> None:
        self.sql("update connections set due_at = '2020-01-01T00:00:00.000000+00:00'")


def environment(tiktok: Simulator) -> dict[str, str]:
    return {
        "CONNECTOR_API_KEYS": KEYS[0],
        "CONNECTOR_PORT": str(free_port()),
        "TIKTOK_APP_ID": ADS.id,
        "TIKTOK_APP_SECRET": ADS.secret,
        "TIKTOK_CLIENT_KEY": KIT.id,
        "TIKTOK_CLIENT_SECRET": KIT.secret,
        "TIKTOK_BUSINESS_API_URL": tiktok.url,
        "TIKTOK_OPEN_API_URL": tiktok.url,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{tiktok.url}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{tiktok.url}/v2/auth/authorize/",
    }


async def line_of(process: Process, *, holding: str, stream: str = "stdout") -> str:
    """The first line that says so."""
    lines = process.stdout if stream == "stdout" else process.stderr
    assert lines is not None
    while line := (await lines.readline()).decode():
        if holding in line:
            return line
    raise AssertionError(f"it ended without saying {holding!r}")


async def ended(pid: int) -> None:
    """Until that process, which need not be our child, is no more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def read_all(terminal: int) -> str:
    read = b""
    try:
        while part := os.read(terminal, 4096):
            read += part
    except OSError:
        pass  # That is how a terminal says that the other side has gone.
    finally:
        os.close(terminal)
    return read.decode()
