"""Programs and an event loop that run beside the tests.

A child never outlives the test run: the kernel signals the child when the thread that started it ends,
even if the run was killed with SIGKILL. A child reports in its log that it is ready, so no test polls.
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

TIMEOUT_SECONDS = 30.0
LOCAL_PORTS = range(15_000, 32_000)
"""Below the ports that the kernel uses for outgoing connections, so that none of those takes a port
between the moment it is found free and the moment a program listens on it."""


def unprivileged_user() -> pwd.struct_passwd:
    """Returns the current user, or another user instead of root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def free_port() -> int:
    """Returns a free port for a program that needs its port before it starts."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(LOCAL_PORTS)))
            return int(probe.getsockname()[1])


def kill_with_parent(
    *command: str | Path, parent_death_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Extends the command so that the process is signalled when the test run ends."""
    name = parent_death_signal.name.removeprefix("SIG")
    return ["setpriv", f"--pdeathsig={name}", *map(str, command)]


def as_unprivileged_user(*command: str | Path) -> list[str]:
    if os.geteuid() != 0:
        return [str(word) for word in command]
    user = unprivileged_user()
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, *map(str, command)]


class Child:
    """A program in the background. Each log line that contains `ready_text` reports that it is ready."""

    def __init__(
        self,
        command: list[str],
        *,
        ready_text: str,
        stop_signal: signal.Signals,
        environment: Mapping[str, str],
    ) -> None:
        self._stop_signal = stop_signal
        self._ready = threading.Semaphore(0)
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
        self._reader = threading.Thread(target=self._read, args=(ready_text,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self, ready_text: str) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._log.append(line)
                if ready_text in line:
                    self._ready.release()
        self._ready.release()  # The program ended: the waiting thread reports the log.

    def wait_until_ready(self) -> None:
        ready = self._ready.acquire(timeout=TIMEOUT_SECONDS)
        if not ready or self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r} did not start:\n{''.join(self._log)}")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            try:
                self._process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(TIMEOUT_SECONDS)


class BackgroundLoop:
    """An event loop in its own thread, so that a test may block, stop or replace its own loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()
