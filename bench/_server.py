"""As much HTTP/1.1 as a fast loopback server needs, so that it is never what is being measured.

Requests are whole or waited for, answers are bytes made by hand, connections stay open. Nobody
sends the next request before the answer, so an answer may be late without overtaking another.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import cast

import uvloop

Answer = Callable[[bytes], None]
Handler = Callable[[bytes, bytes, Answer], None]
"""Gets a request's head and body, and what to answer through, now or later."""


class Line(asyncio.Protocol):
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end]
        total = end + 4 + content_length(head)
        if len(self._received) < total:
            return
        body, self._received = self._received[end + 4 : total], self._received[total:]
        self._handler(head, body, self._answer)

    def _answer(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    return int(lowered[at + 17 :].split(b"\r\n", 1)[0])


def answer(json: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(json) + json


def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Says its port on a line of its own, then serves until it is told to stop."""
    uvloop.run(_serve(protocol))


async def _serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
