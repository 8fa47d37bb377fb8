"""Programs that run beside a benchmark: how they are started, measured and stopped.

A child never outlives this process (the kernel kills it with its parent). CPU time and memory are read
from /proc, threads included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from tests.processes import kill_with_parent

ROOT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 30.0
INHERITED_VARIABLES = ("PATH", "HOME", "LANG")
SECONDS_PER_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Program:
    def __init__(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = ROOT,
    ) -> None:
        inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        self._process = subprocess.Popen(
            kill_with_parent(*command),
            env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all its threads since the program started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * SECONDS_PER_TICK

    @property
    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def send_line(self, line: str) -> None:
        self._stdin.write(line + "\n")
        self._stdin.flush()

    def read_line(self) -> str:
        line = self._stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line

    def request(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Sends a job as one line of JSON and returns the result, another line of JSON."""
        self.send_line(json.dumps(job))
        result: dict[str, Any] = json.loads(self.read_line())
        return result

    def check_running(self) -> None:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdin.close()
        self._stdout.close()


class Server(Program):
    """A module of this package that serves HTTP and prints its port."""

    def __init__(self, module: str, *arguments: str | Path) -> None:
        super().__init__(sys.executable, "-m", f"bench.{module}", *arguments)
        self.port = int(self.read_line())
        self.url = f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class RefreshCounts:
    refreshes: int
    sent_twice: int
    """Refreshes with a refresh token that TikTok had received before."""


class TikTok(Server):
    def __init__(self) -> None:
        super().__init__("_tiktok")

    def set(self, **settings: float | bool) -> None:
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        get(self.port, f"/_set?{query}")

    def refresh_counts(self) -> RefreshCounts:
        return RefreshCounts(**json.loads(get(self.port, "/_counts")[1]))

    def wait_until_idle(self) -> None:
        """Returns when no refresh has arrived for a while."""
        give_up_at, before = time.monotonic() + TIMEOUT_SECONDS, -1
        while (now := self.refresh_counts().refreshes) != before and time.monotonic() < give_up_at:
            before = now
            time.sleep(0.4)


class LoadGenerator(Program):
    def __init__(self, directory: Path) -> None:
        super().__init__(sys.executable, "-m", "bench._load")
        self._requests = directory / f"requests-{self.pid}"

    def start(
        self,
        port: int,
        requests: list[bytes],
        *,
        connections: int,
        seconds: float,
        rate: float = 0,
        repeat: bool = True,
        grace: float = 15,
    ) -> None:
        """`grace` is how many seconds after the end a response may still arrive."""
        self._requests.write_bytes(b"\0\0".join(requests))
        job = {
            "port": port,
            "requests": str(self._requests),
            "connections": connections,
            "seconds": seconds,
            "rate": rate,
            "repeat": repeat,
            "grace": grace,
        }
        self.send_line(json.dumps(job))

    def finish(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.read_line())
        return result


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    return call(port, "GET", path, headers=headers)


def call(
    port: int,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    http = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    sent = {**(headers or {}), **({"Content-Type": "application/json"} if body else {})}
    try:
        http.request(method, path, json.dumps(body) if body else None, sent)
        response = http.getresponse()
        return response.status, response.read().decode()
    finally:
        http.close()


def wait_until_ready(program: Program, port: int) -> None:
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        program.check_running()
        try:
            if get(port, "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError("The service did not become ready.")
