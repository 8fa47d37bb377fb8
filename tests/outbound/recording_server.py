"""A server that keeps its connections open, and records the requests that it gets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.raw_servers import tcp_server

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class RecordingServer:
    response: bytes = NO_CONTENT
    origin: str = ""
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(int(length[1]) if length else 0))
            writer.write(self.response)


@asynccontextmanager
async def recording_server(response: bytes = NO_CONTENT) -> AsyncIterator[RecordingServer]:
    server = RecordingServer(response)
    async with tcp_server(server.serve) as server.origin:
        yield server
