"""What stands before PostgREST in a benchmark: it takes /rest/v1 off the address, nothing else.

Supabase has a gateway there, and PostgREST cannot serve under a prefix. The one of the tests is
made for faults and costs more than the call itself; nginx is not everywhere. Here each connection
has one of its own to PostgREST and bytes go through as they come.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from ._server import serve

PREFIX = b" /rest/v1/"


class Inward(asyncio.Protocol):
    """From whoever asks to PostgREST."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._early = b""
        self._postgrest: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._asker = cast(asyncio.Transport, transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._postgrest, _ = await loop.create_unix_connection(
            lambda: Outward(self._asker), self._upstream
        )
        if self._early:
            self._postgrest.write(self._early)

    def data_received(self, data: bytes) -> None:
        # Only a request line has it so early; what follows is JSON.
        if PREFIX in data[:16]:
            data = data.replace(PREFIX, b" /", 1)
        if self._postgrest is None:
            self._early += data
        else:
            self._postgrest.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._connecting.cancel()
        if self._postgrest is not None:
            self._postgrest.close()


class Outward(asyncio.Protocol):
    """And back."""

    def __init__(self, asker: asyncio.Transport) -> None:
        self._asker = asker

    def data_received(self, data: bytes) -> None:
        self._asker.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._asker.close()


if __name__ == "__main__":
    serve(lambda: Inward(sys.argv[1]))
