"""Several processes behind one port, and the one that looks after them.

The kernel spreads connections over all sockets bound with SO_REUSEPORT. The supervisor holds one
too, which never listens: it finds out whether the port is to be had, and keeps it. A worker that
dies is replaced, with a pause that grows while it keeps dying; one that cannot even start the first
time ends everything, because its sentence on standard error is for the operator.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from connector.settings import Settings

from .serve import cannot_listen, told_to_stop
from .terminal import complain, say

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "connector", "serve", "--worker")
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
STEADY = 60.0
"""A worker that lived so many seconds was fine: the next one is not made to wait longer."""


async def supervise(settings: Settings, count: int) -> int:
    for warning in settings.warnings:
        complain(str(warning))
    with told_to_stop() as stop, _port_held(settings.host, settings.port):
        crew = Crew(stop)
        watches = [asyncio.create_task(crew.keep_one(number)) for number in range(1, count + 1)]
        if await crew.up(count):
            say(f"Ready at {settings.public_url} ({count} workers on port {settings.port})")
            sys.stdout.flush()
        return max(await asyncio.gather(*watches))


class Crew:
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._starts: asyncio.Queue[bool] = asyncio.Queue()

    async def up(self, count: int) -> bool:
        """Once each has started, or failed to."""
        return all([await self._starts.get() for _ in range(count)])

    async def keep_one(self, number: int) -> int:
        """0 once all are told to stop, 1 if it could not even start."""
        pause = FIRST_PAUSE
        process, started = await self._start(number)
        self._starts.put_nowait(started)
        if not started:
            self._stop.set()
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._watch(process)
            if self._stop.is_set():
                return 0 if code == 0 else 1
            if asyncio.get_running_loop().time() - began >= STEADY:
                pause = FIRST_PAUSE
            log.error("worker ended number=%d code=%d again_in=%.0fs", number, code, pause)
            if await self._told_to_stop(within=pause):
                return 0
            pause = min(pause * 2, LAST_PAUSE)
            process, _ = await self._start(number)

    async def _start(self, number: int) -> tuple[Process, bool]:
        """A new worker, once it said that it is ready or died before it could."""
        process = await asyncio.create_subprocess_exec(*COMMAND, stdin=PIPE, stdout=PIPE)
        assert process.stdout is not None  # noqa: S101
        if started := bool(await process.stdout.readline()):
            log.info("worker ready number=%d pid=%d", number, process.pid)
        return process, started

    async def _watch(self, process: Process) -> int:
        """Its exit code; it is told to stop when we are."""
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(self._stop.wait())
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not ended.done():
            with suppress(ProcessLookupError):
                process.terminate()
        return await ended

    async def _told_to_stop(self, *, within: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), within)
        return self._stop.is_set()


@contextmanager
def _port_held(host: str, port: int) -> Iterator[None]:
    """Bound twice: once alone, which others who share their ports with us would otherwise permit."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
        held = socket.socket(family, kind, protocol)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    with held:
        yield
