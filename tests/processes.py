"""Programs and an event loop that run beside the tests.

A child never outlives us: the kernel signals it when the thread that started it is gone, whatever
the reason, so a test run killed with -9 leaves nothing running. Nobody polls: a child says in its
own log when it is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 30.0

PORTS = range(15_000, 32_000)
"""Below what the kernel gives to outgoing connections: none of those can take one in between."""


def unprivileged() -> pwd.struct_passwd:
    """Ourselves, unless we are root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def free_port() -> int:
    """For a program that must be told its port before it starts."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(PORTS)))
            return int(probe.getsockname()[1])


def confined(*command: str | Path, dies_by: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, to be signalled when we are gone."""
    return ["setpriv", f"--pdeathsig={dies_by.name.removeprefix('SIG')}", *map(str, command)]


def as_unprivileged(*command: str | Path) -> list[str]:
    if os.geteuid() != 0:
        return [str(word) for word in command]
    user = unprivileged()
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, *map(str, command)]


class Child:
    """A program in the background, ready each time its log announces so."""

    def __init__(
        self,
        command: list[str],
        *,
        announces: str,
        stops_on: signal.Signals,
        environment: Mapping[str, str],
    ) -> None:
        self._stops_on = stops_on
        self._announced = threading.Semaphore(0)
        self._log: deque[str] = deque(maxlen=30)
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(announces,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self, announces: str) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._log.append(line)
                if announces in line:
                    self._announced.release()
        self._announced.release()  # It ended: whoever waits finds out why.

    def wait_for_announcement(self) -> None:
        announced = self._announced.acquire(timeout=PATIENCE)
        if not announced or self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r} did not come up:\n{''.join(self._log)}")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(self._stops_on)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(PATIENCE)


class Background:
    """An event loop in its own thread: a test may block, stop or replace its own loop meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
