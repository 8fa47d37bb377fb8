"""A minimal HTTP/1.1 server for loopback, fast enough that a benchmark never measures the server itself.

It waits until a request is complete, sends responses that are bytes already, and keeps connections
open. A client sends its next request only after the response, so a late response cannot overtake
another one.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import cast

import uvloop

Respond = Callable[[bytes], None]
Handler = Callable[[bytes, bytes, Respond], None]
"""Receives the head and the body of a request, and a function that sends the response now or later."""


class HttpConnection(asyncio.Protocol):
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
        self._handler(head, body, self._respond)

    def _respond(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


def content_length(head: bytes) -> int:
    lowered = head.lower()
    index = lowered.find(b"\r\ncontent-length:")
    if index < 0:
        return 0
    return int(lowered[index + 17 :].split(b"\r\n", 1)[0])


def json_response(json: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(json) + json


def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Prints the port on one line, then serves until SIGTERM."""
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
