"""Runs commands in this process, which is fast, or in a process of their own, as people run them.

In this process a command runs in its own thread, beside the simulator. Its settings come from the
environment and the working directory, as everywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.cli import main
from connector.model import UserId
from connector.settings import OWN_PREFIXES
from tests.credentials import ANNA, API_KEYS
from tests.processes import free_port
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP, Simulator
from tests.supabase_stack import ROOT

COMMAND = (sys.executable, "-m", "connector")


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str


class CommandRunner:
    """Commands run in `folder` and see the settings in `environment`."""

    def __init__(
        self, folder: Path, environment: dict[str, str], capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.environment = environment
        self._capture = capture

    async def run(self, *arguments: str) -> CommandResult:
        """Runs the command in this process."""
        self._capture.readouterr()
        with self._process_state():
            code = await asyncio.to_thread(main, arguments)
        output = self._capture.readouterr()
        return CommandResult(code, output.out, output.err)

    async def run_process(self, *arguments: str) -> CommandResult:
        process = await self.start_process(*arguments)
        out, err = await process.communicate()
        assert process.returncode is not None
        return CommandResult(process.returncode, out.decode(), err.decode())

    async def start_process(
        self, *arguments: str, stdin: int = DEVNULL, stdout: int = PIPE, stderr: int = PIPE
    ) -> Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            cwd=self.folder,
            env=self._full_environment(),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )

    def _full_environment(self) -> dict[str, str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(OWN_PREFIXES)}
        return inherited | {"PYTHONPATH": str(ROOT)} | self.environment

    @contextmanager
    def _process_state(self) -> Iterator[None]:
        """Sets the working directory and the environment, and restores them and the log."""
        root, own = logging.getLogger(), logging.getLogger("connector")
        folder, environ = Path.cwd(), dict(os.environ)
        handlers, root_level, own_level = root.handlers[:], root.level, own.level
        os.chdir(self.folder)
        full_environment = self._full_environment()
        os.environ.clear()
        os.environ.update(full_environment)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environ)
            root.handlers[:], root.level = handlers, root_level
            own.setLevel(own_level)

    # Steps that many tests share.

    async def connect(
        self, tiktok: Simulator, *, user: UserId = ANNA, family: str = "marketing", **consent: Any
    ) -> str:
        """Returns the id of the new connection."""
        state = await self.state(user=user, family=family)
        code = await tiktok.consent(family, **consent)
        result = await self.run("exchange", code, "--state", state)
        assert result.code == 0, result.err
        return str(json.loads(result.out)["connection_id"])

    async def state(self, *, user: UserId = ANNA, family: str = "marketing") -> str:
        url = await self.run("auth-url", "--user", user, "--family", family)
        (state,) = parse_qs(urlsplit(url.out.strip()).query)["state"]
        return state

    async def connection(self, id: str) -> dict[str, Any]:
        """Returns the connection as `connector connections --json` prints it."""
        connections = json.loads((await self.run("connections", "--json")).out)
        return next(dict(connection) for connection in connections if connection["id"] == id)

    async def access_token(self, id: str) -> str:
        return (await self.run("token", id)).out.strip()

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Reads or changes the SQLite file directly."""
        with closing(sqlite3.connect(self.folder / "connector.db")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def make_all_due(self) -> None:
        self.sql("update connections set due_at = '2020-01-01T00:00:00.000000+00:00'")


def environment(tiktok: Simulator) -> dict[str, str]:
    return {
        "CONNECTOR_API_KEYS": API_KEYS[0],
        "CONNECTOR_PORT": str(free_port()),
        "TIKTOK_APP_ID": BUSINESS_APP.id,
        "TIKTOK_APP_SECRET": BUSINESS_APP.secret,
        "TIKTOK_CLIENT_KEY": LOGIN_KIT_APP.id,
        "TIKTOK_CLIENT_SECRET": LOGIN_KIT_APP.secret,
        "TIKTOK_BUSINESS_API_URL": tiktok.url,
        "TIKTOK_OPEN_API_URL": tiktok.url,
        "TIKTOK_BUSINESS_CONSENT_URL": f"{tiktok.url}/portal/auth",
        "TIKTOK_CONSENT_URL": f"{tiktok.url}/v2/auth/authorize/",
    }


async def first_line_with(process: Process, text: str, *, stream: str = "stdout") -> str:
    lines = process.stdout if stream == "stdout" else process.stderr
    assert lines is not None
    while line := (await lines.readline()).decode():
        if text in line:
            return line
    raise AssertionError(f"The process ended without a line with {text!r}.")


def read_terminal(terminal: int) -> str:
    """Returns the output until the process at the other side ends."""
    output = b""
    try:
        while part := os.read(terminal, 4096):
            output += part
    except OSError:
        pass  # A terminal reports in this way that the other side is closed.
    finally:
        os.close(terminal)
    return output.decode()


async def line_about(cli: CommandRunner, **settings: str) -> str:
    """Returns the only line about these settings, which is a problem or a warning."""
    cli.environment |= settings
    result = await cli.run("check")
    lines = [line for line in result.out.splitlines() if any(f" {n}: " in line for n in settings)]
    assert result.code == any(line.startswith("PROBLEM") for line in result.out.splitlines())
    assert len(lines) == 1, result.out
    return lines[0]
