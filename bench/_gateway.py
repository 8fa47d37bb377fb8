"""The gateway before PostgREST in a benchmark: it removes /rest/v1 from the path and does nothing else.

Supabase has a gateway there, and PostgREST cannot serve under a prefix. The gateway of the tests injects
faults and costs more than the call itself, and nginx is not installed everywhere. Here each client
connection has its own connection to PostgREST, and bytes are forwarded as they arrive.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from ._server import serve

PREFIX = b" /rest/v1/"


class ClientConnection(asyncio.Protocol):
    """Forwards bytes from a client to PostgREST."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._buffered = b""
        self._postgrest: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast(asyncio.Transport, transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._postgrest, _ = await loop.create_unix_connection(
            lambda: PostgrestConnection(self._client), self._socket_path
        )
        if self._buffered:
            self._postgrest.write(self._buffered)

    def data_received(self, data: bytes) -> None:
        # Only a request line has the prefix in its first bytes; JSON follows.
        if PREFIX in data[:16]:
            data = data.replace(PREFIX, b" /", 1)
        if self._postgrest is None:
            self._buffered += data
        else:
            self._postgrest.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._connecting.cancel()
        if self._postgrest is not None:
            self._postgrest.close()


class PostgrestConnection(asyncio.Protocol):
    """Forwards bytes from PostgREST to a client."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.close()


if __name__ == "__main__":
    serve(lambda: ClientConnection(sys.argv[1]))
