"""A pooler in transaction mode, like Supabase's on port 6543: each transaction uses another connection.

It understands PostgreSQL's protocol only as far as it must to forward whole messages. It uses its server
connections in turn, so a named statement that a client prepared does not exist in the next transaction.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from contextlib import suppress
from typing import Self

STARTUP = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
ENCRYPTION_REQUESTS = {80877103, 80877104}
AUTHENTICATION_OK = b"R" + struct.pack("!ii", 8, 0)
KEY_DATA_AND_READY = b"K" + struct.pack("!iii", 12, 4242, 4242) + b"Z" + struct.pack("!ic", 5, b"I")

Message = tuple[bytes, bytes]
READY_AND_IDLE: Message = (b"Z", b"I")


class MessageStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def receive(self, *, has_type: bool = True) -> Message:
        """The first message of a client has no type byte."""
        message_type = await self._reader.readexactly(1 if has_type else 0)
        [length] = struct.unpack("!i", await self._reader.readexactly(4))
        return message_type, await self._reader.readexactly(length - 4)

    async def receive_until(self, last_types: bytes) -> list[Message]:
        messages = [await self.receive()]
        while messages[-1][0] not in last_types:
            messages.append(await self.receive())
        return messages

    def send(self, messages: list[Message]) -> None:
        for message_type, body in messages:
            self.writer.write(message_type + struct.pack("!i", len(body) + 4) + body)


class Pooler:
    def __init__(self, port: int, *, servers: int = 3) -> None:
        self._port = port
        self._size = servers
        self._free_servers = asyncio.Semaphore(servers)
        self._servers: deque[MessageStream] = deque()
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._settings: list[Message] = []
        for _ in range(self._size):
            server = MessageStream(*await asyncio.open_connection("127.0.0.1", self._port))
            server.send([(b"", STARTUP)])
            self._settings = [m for m in await server.receive_until(b"Z") if m[0] == b"S"]
            self._servers.append(server)
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1")
        [socket] = self._listener.sockets
        self.dsn = f"postgresql://postgres@127.0.0.1:{socket.getsockname()[1]}/postgres"
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._listener.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for server in self._servers:
            server.writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(MessageStream(reader, writer)))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, client: MessageStream) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            _, startup = await client.receive(has_type=False)
            while struct.unpack_from("!i", startup)[0] in ENCRYPTION_REQUESTS:
                client.writer.write(b"N")
                _, startup = await client.receive(has_type=False)
            client.writer.write(AUTHENTICATION_OK)
            client.send(self._settings)
            client.writer.write(KEY_DATA_AND_READY)
            while (messages := await client.receive_until(b"SQHX"))[-1][0] != b"X":
                async with self._free_servers:
                    await self._forward_transaction(client, messages)
        client.writer.close()

    async def _forward_transaction(self, client: MessageStream, messages: list[Message]) -> None:
        server = self._servers.popleft()
        try:
            while True:
                server.send(messages)
                # After a flush the client waits for the responses so far, and the transaction continues.
                is_flush = messages[-1][0] == b"H"
                responses = await server.receive_until(b"TnE" if is_flush else b"Z")
                client.send(responses)
                if responses[-1] == READY_AND_IDLE:
                    return
                messages = await client.receive_until(b"SQH")
        finally:
            self._servers.append(server)
