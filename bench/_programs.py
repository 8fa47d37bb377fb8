"""Programs that run beside a benchmark: started, asked what they cost, stopped.

A child never outlives us (the kernel sees to it), and what it cost is read from /proc, threads
included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from tests.processes import confined

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0
INHERITED = ("PATH", "HOME", "LANG")
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Program:
    def __init__(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = ROOT,
    ) -> None:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            confined(*command),
            env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds, of all its threads, since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    @property
    def resident(self) -> float:
        """MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def tell(self, line: str) -> None:
        self._in.write(line + "\n")
        self._in.flush()

    def hear(self) -> str:
        line = self._out.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        self.tell(json.dumps(job))
        told: dict[str, Any] = json.loads(self.hear())
        return told

    def check(self) -> None:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._in.close()
        self._out.close()


class Helper(Program):
    """One of our own that serves and says where."""

    def __init__(self, module: str, *arguments: str | Path) -> None:
        super().__init__(sys.executable, "-m", f"bench.{module}", *arguments)
        self.port = int(self.hear())
        self.url = f"http://127.0.0.1:{self.port}"


class TikTok(Helper):
    def __init__(self) -> None:
        super().__init__("_tiktok")

    def set(self, **what: float | bool) -> None:
        query = "&".join(f"{name}={value}" for name, value in what.items())
        get(self.port, f"/_set?{query}")

    def told(self) -> dict[str, int]:
        """How many refreshes it was asked for, and how many with a token it had seen before."""
        told: dict[str, int] = json.loads(get(self.port, "/_told")[1])
        return told

    def rest(self) -> None:
        """Until nobody has asked for a refresh for a while."""
        give_up_at, before = time.monotonic() + PATIENCE, -1
        while (asked := self.told()["refreshes"]) != before and time.monotonic() < give_up_at:
            before = asked
            time.sleep(0.4)


class Load(Program):
    def __init__(self, directory: Path) -> None:
        super().__init__(sys.executable, "-m", "bench._load")
        self._requests = directory / f"requests-{self.pid}"

    def begin(
        self,
        port: int,
        requests: list[bytes],
        *,
        connections: int,
        seconds: float,
        rate: float = 0,
        again: bool = True,
        patience: float = 15,
    ) -> None:
        self._requests.write_bytes(b"\0\0".join(requests))
        job = {
            "port": port,
            "requests": str(self._requests),
            "connections": connections,
            "seconds": seconds,
            "rate": rate,
            "again": again,
            "patience": patience,
        }
        self.tell(json.dumps(job))

    def end(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.hear())
        return told


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    http = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        http.request("GET", path, headers=dict(headers or {}))
        answer = http.getresponse()
        return answer.status, answer.read().decode()
    finally:
        http.close()


def wait_until_ready(program: Program, port: int) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        program.check()
        try:
            if get(port, "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError("The service did not become ready.")
