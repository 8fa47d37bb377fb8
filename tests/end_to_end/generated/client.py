"""A client that sends exactly the given bytes, from its own loopback address, and reads all answers strictly."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from .message import GeneratedRequest, Silence

TIMEOUT_SECONDS = 40.0
"""Longer than the 25 seconds for which a request may wait for the lease of a connection."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/(1\.0|1\.1) ([1-5][0-9][0-9]) [ -~]*")
HEADER_LINE = re.compile(rb"([!#-'*+.0-9A-Z^_`a-z|~-]+): ([ -~]*)")
WITHOUT_BODY = (204, 304)


class UnreadableAnswer(Exception):
    """The service sent something that is not one complete HTTP response."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes

    @property
    def closes(self) -> bool:
        """HTTP/1.0 closes unless the header says otherwise, HTTP/1.1 only if it says so."""
        default = "close" if self.head.startswith(b"HTTP/1.0") else "keep-alive"
        return self.headers.get("connection", default).lower() == "close"


@dataclass(frozen=True)
class Exchange:
    """One connection: what was sent, and every answer."""

    request: GeneratedRequest
    answers: tuple[Answer, ...]
    problem: str | None = None


class AnswerReader:
    def __init__(self, connection: socket.socket, methods: tuple[bytes, ...]) -> None:
        self._connection = connection
        self._methods = methods
        self._buffer = b""
        self.answers: list[Answer] = []
        self.is_at_end = False

    async def read_one(self) -> None:
        """Adds one answer, or nothing if the service has closed the connection."""
        head = await self._read_head()
        if head is not None:
            self.answers.append(await self._complete(head))

    async def _read_head(self) -> bytes | None:
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if separator and head + separator == CONTINUE:
                self._buffer = rest
            elif separator:
                self._buffer = rest
                return head
            elif not await self._receive():
                if self._buffer:
                    raise UnreadableAnswer(f"the answer ends in its header: {self._buffer!r}")
                return None

    async def _complete(self, head: bytes) -> Answer:
        first, *lines = head.split(b"\r\n")
        status_line = STATUS_LINE.fullmatch(first)
        matches = [HEADER_LINE.fullmatch(line) for line in lines]
        if status_line is None or None in matches:
            raise UnreadableAnswer(f"the header is not valid: {head!r}")
        pairs = [(match[1].decode().lower(), match[2].decode()) for match in matches if match]
        status, headers = int(status_line[2]), dict(pairs)
        number = len(self.answers)
        is_head = number < len(self._methods) and self._methods[number] == b"HEAD"
        # HTTP/1.0: the answer to bytes that are no valid request, even if they begin with HEAD.
        if status in WITHOUT_BODY or (is_head and status_line[1] == b"1.1"):
            return Answer(status, headers, b"", head)
        if [name for name, _ in pairs].count("content-length") != 1:
            raise UnreadableAnswer(f"the answer has no length: {head!r}")
        return Answer(status, headers, await self._read_body(int(headers["content-length"])), head)

    async def _read_body(self, length: int) -> bytes:
        while len(self._buffer) < length:
            if not await self._receive():
                raise UnreadableAnswer(f"the body is incomplete: {self._buffer!r}")
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    async def _receive(self) -> bool:
        if not self.is_at_end:
            loop = asyncio.get_running_loop()
            received = b""
            with suppress(ConnectionError):
                received = await loop.sock_recv(self._connection, 65536)
            self._buffer += received
            self.is_at_end = not received
        return not self.is_at_end


async def exchange(request: GeneratedRequest, *, port: int, peer: str) -> Exchange:
    with socket.socket() as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.bind((peer, 0))
        reader = AnswerReader(connection, request.methods)
        problem = None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
                await _exchange(request, connection, reader)
        except TimeoutError:
            problem = f"no answer, or no end of the connection, within {TIMEOUT_SECONDS:g} seconds"
        except (UnreadableAnswer, ConnectionError) as error:
            problem = str(error)
        return Exchange(request, tuple(reader.answers), problem)


async def _exchange(
    request: GeneratedRequest, connection: socket.socket, reader: AnswerReader
) -> None:
    sending = asyncio.create_task(_send(request, connection))
    try:
        if request.silence is Silence.RESET:
            await sending
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            return
        if request.silence is Silence.HALF_CLOSED:
            await sending
            _close_own_side(connection)
        while not reader.is_at_end and len(reader.answers) < max(1, request.min_answers):
            await reader.read_one()
        _close_own_side(connection)
        while not reader.is_at_end:
            await reader.read_one()
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _send(request: GeneratedRequest, connection: socket.socket) -> None:
    """The service may close the connection before it has read everything."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        for part in request.parts:
            await loop.sock_sendall(connection, part)
            await asyncio.sleep(0)


def _close_own_side(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
