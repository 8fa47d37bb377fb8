"""The service, until it is told to stop.

Stopping takes three steps: no new connections, then the requests under way are answered, then the
house waits for its flights, which are never cut. A supervisor should allow for twice the longest
call to TikTok before it loses patience.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

from aiohttp import web

from connector.app import House
from connector.errors import Misconfigured
from connector.settings import Settings
from connector.transport import DEADLINE

from . import logs
from .terminal import complain, say

T = TypeVar("T")

BACKLOG = 1024
SOCKETS = 16_384
CHOSEN_BY = "CONNECTOR_PORT"


def serve(options: Namespace) -> int:
    settings = Settings.read(os.environ)
    logs.configure(settings.log_level, format=settings.log_format)
    if options.workers > 1:
        from . import workers

        return run_fast(workers.supervise(settings, options.workers))
    if not options.worker:
        for warning in settings.warnings:
            complain(str(warning))
    run_fast(_serve(House.build(settings), is_worker=options.worker))
    return 0


async def _serve(house: House, *, is_worker: bool) -> None:
    settings = house.settings
    with told_to_stop() as stop:
        if is_worker:
            _stop_when_orphaned(stop)
        async with listening(
            house.application(), settings.host, settings.port, shared=is_worker
        ) as addresses:
            _allow_many_sockets()
            _collect_less_often()
            say(f"Ready at {settings.public_url} (listening on {', '.join(addresses)})")
            sys.stdout.flush()
            await stop.wait()


def _allow_many_sockets() -> None:
    """One for each flight and for whoever asks: the usual 1,024 is soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # Some systems allow less than they say.
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _collect_less_often() -> None:
    """What is here by now stays, and hundreds of flights in the air are no garbage: a collector
    that looks after every 700 objects looks in vain, and costs a twentieth of all there is to do."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


@asynccontextmanager
async def listening(
    application: web.Application,
    host: str,
    port: int,
    *,
    shared: bool = False,
    patience: float = DEADLINE,
    chosen_by: str = CHOSEN_BY,
) -> AsyncIterator[list[str]]:
    """The addresses it listens on. `shared`: other processes listen on the same port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=patience)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=shared or None)
        try:
            await site.start()
        except OSError as error:
            raise cannot_listen(host, port, error, chosen_by=chosen_by) from None
        yield [_address(*name[:2]) for name in runner.addresses]
    finally:
        await runner.cleanup()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def cannot_listen(
    host: str, port: int, error: OSError, *, chosen_by: str = CHOSEN_BY
) -> Misconfigured:
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(
            f"Port {port} on {host} is taken: stop the program that has it, or choose another "
            f"with {chosen_by}."
        )
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such address"
    return Misconfigured(f"Cannot listen on {host}, port {port} ({reason}).")


@contextmanager
def told_to_stop() -> Iterator[asyncio.Event]:
    """Set by SIGTERM or Ctrl-C. Held until all is closed: a second one cuts nothing short."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _stop_when_orphaned(stop: asyncio.Event) -> None:
    """A worker's standard input is a pipe from its supervisor, and ends with it."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    loop.add_reader(sys.stdin, ended)


def run_fast(work: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it is installed: it halves what a request costs."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
