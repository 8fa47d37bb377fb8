"""A pooler in transaction mode, such as Supabase's on port 6543: the next transaction, another server.

It speaks PostgreSQL's protocol only as far as handing whole messages on takes, and turns through its
server connections in order, so that whatever a client left in a session is not there the next time.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from contextlib import suppress
from typing import Self

STARTUP = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
NO_ENCRYPTION = {80877103, 80877104}
ALIVE = b"R" + struct.pack("!ii", 8, 0)
GREETING = b"K" + struct.pack("!iii", 12, 4242, 4242) + b"Z" + struct.pack("!ic", 5, b"I")

Message = tuple[bytes, bytes]
IDLE: Message = (b"Z", b"I")


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def receive(self, *, kind: bool = True) -> Message:
        first = await self._reader.readexactly(1 if kind else 0)
        [length] = struct.unpack("!i", await self._reader.readexactly(4))
        return first, await self._reader.readexactly(length - 4)

    async def receive_until(self, last: bytes) -> list[Message]:
        messages = [await self.receive()]
        while messages[-1][0] not in last:
            messages.append(await self.receive())
        return messages

    def send(self, messages: list[Message]) -> None:
        for kind, body in messages:
            self.writer.write(kind + struct.pack("!i", len(body) + 4) + body)


class Pooler:
    def __init__(self, port: int, *, servers: int = 3) -> None:
        self._port = port
        self._size = servers
        self._free: asyncio.Semaphore = asyncio.Semaphore(servers)
        self._servers: deque[Line] = deque()
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._settings: list[Message] = []
        for _ in range(self._size):
            server = Line(*await asyncio.open_connection("127.0.0.1", self._port))
            server.send([(b"", STARTUP)])
            self._settings = [m for m in await server.receive_until(b"Z") if m[0] == b"S"]
            self._servers.append(server)
        self._door = await asyncio.start_server(self._greet, "127.0.0.1")
        [door] = self._door.sockets
        self.dsn = f"postgresql://postgres@127.0.0.1:{door.getsockname()[1]}/postgres"
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._door.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for server in self._servers:
            server.writer.close()

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(Line(reader, writer)))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, client: Line) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            _, asked = await client.receive(kind=False)
            while struct.unpack_from("!i", asked)[0] in NO_ENCRYPTION:
                client.writer.write(b"N")
                _, asked = await client.receive(kind=False)
            client.writer.write(ALIVE)
            client.send(self._settings)
            client.writer.write(GREETING)
            while (messages := await client.receive_until(b"SQHX"))[-1][0] != b"X":
                async with self._free:
                    await self._transaction(client, messages)
        client.writer.close()

    async def _transaction(self, client: Line, messages: list[Message]) -> None:
        server = self._servers.popleft()
        try:
            while True:
                server.send(messages)
                # Flushed: the answers so far are wanted, and the transaction goes on.
                flushed = messages[-1][0] == b"H"
                answers = await server.receive_until(b"TnE" if flushed else b"Z")
                client.send(answers)
                if answers[-1] == IDLE:
                    return
                messages = await client.receive_until(b"SQH")
        finally:
            self._servers.append(server)
