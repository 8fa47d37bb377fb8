"""Resolves the host names of endpoints, and gives the HTTP client exactly the addresses that were checked.

A lookup may wait half a minute for a name server, and its thread cannot be stopped. So lookups have their own
threads, and a name has at most one running lookup: an endpoint whose name server does not answer cannot
delay the others, or the rest of the process.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from aiohttp.abc import AbstractResolver, ResolveResult

from connector.concurrency import SingleFlight

from .addresses import IPAddress

LOOKUP_THREADS = 16

checked_addresses: ContextVar[tuple[IPAddress, ...]] = ContextVar("checked_addresses")
"""The addresses of the attempt that the current task makes. Without them no connection is made."""


class CheckedResolver(AbstractResolver):
    """Returns the checked addresses of the current attempt. A second lookup could return others."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [_result(host, str(address), port) for address in checked_addresses.get()]

    async def close(self) -> None:
        pass


class ThreadedResolver(AbstractResolver):
    """Asks the operating system, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")
        self._lookups = SingleFlight[str, list[ResolveResult]](lambda host, error: None)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await self._lookups.run(host, lambda: self._look_up(host))

    async def _look_up(self, host: str) -> list[ResolveResult]:
        infos = await asyncio.get_running_loop().run_in_executor(self._threads, _addresses_of, host)
        return [_result(host, address, 0) for address in infos]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses_of(host: str) -> Iterable[str]:
    # AI_ADDRCONFIG: no IPv6 addresses on a machine without IPv6.
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return dict.fromkeys(str(info[4][0]) for info in infos)


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
