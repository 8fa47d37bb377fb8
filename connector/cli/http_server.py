"""Serves an aiohttp application on a port until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiohttp import web

from connector.errors import ConfigurationError
from connector.tiktok_client import REQUEST_DEADLINE_SECONDS
from connector.web import ListenError, listen

T = TypeVar("T")

LISTEN_BACKLOG = 1024


@asynccontextmanager
async def serve_connector(
    application: web.Application,
    host: str,
    port: int,
    *,
    shutdown_grace: float = REQUEST_DEADLINE_SECONDS,
    port_setting: str = "CONNECTOR_PORT",
) -> AsyncIterator[list[str]]:
    """Serves like `serve_http`, but every error response has the JSON error shape of the service."""
    try:
        async with listen(application, host, port, shutdown_timeout=shutdown_grace) as addresses:
            yield [_format_address(*address) for address in addresses]
    except ListenError as error:
        raise _listen_error(host, port, error, port_setting=port_setting) from None


@asynccontextmanager
async def serve_http(
    application: web.Application,
    host: str,
    port: int,
    *,
    shutdown_grace: float = REQUEST_DEADLINE_SECONDS,
    port_setting: str = "CONNECTOR_PORT",
) -> AsyncIterator[list[str]]:
    """Serves the application and yields the addresses that the server listens on.

    On exit, running requests have `shutdown_grace` seconds to end. An error about the port tells the
    operator to choose another one with `port_setting`.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=shutdown_grace)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=LISTEN_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise _listen_error(host, port, error, port_setting=port_setting) from None
        yield [_format_address(*address[:2]) for address in runner.addresses]
    finally:
        await runner.cleanup()


def _format_address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen_error(host: str, port: int, error: OSError, *, port_setting: str) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"Port {port} on {host} is in use: stop the other program, or choose another port with "
            f"{port_setting}."
        )
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such address"
    return ConfigurationError(f"Cannot listen on {host}, port {port} ({reason}).")


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """Yields an event that SIGTERM or Ctrl-C sets.

    The handlers stay until the block ends, so a second signal does not affect the shutdown.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def run_with_uvloop(main: Coroutine[Any, Any, T]) -> T:
    """Uses uvloop if it is installed, because uvloop halves the CPU time of a request."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
