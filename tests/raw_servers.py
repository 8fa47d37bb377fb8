"""Servers on loopback that send exactly the specified bytes, or fail in the ways that servers fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Responder = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

UNFINISHED_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@asynccontextmanager
async def tcp_server(respond: Responder) -> AsyncIterator[str]:
    """Calls `respond` for each connection, before anything is read."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await respond(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def http_server(respond: Responder) -> AsyncIterator[str]:
    """Reads the request's headers, then calls `respond`."""

    async def read_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await respond(reader, writer)

    async with tcp_server(read_headers) as origin:
        yield origin


def respond_with(*parts: bytes) -> Responder:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(parts)
        await writer.drain()

    return respond


def ok_response(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def never_respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def stop_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(UNFINISHED_RESPONSE + b"{")
    await reader.read()


async def send_byte_by_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends one byte every two milliseconds until the client closes the connection."""
    writer.write(UNFINISHED_RESPONSE)
    while not reader.at_eof():
        writer.write(b" ")
        try:
            await asyncio.wait_for(reader.read(), 0.002)
        except TimeoutError:
            continue


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def reset_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(UNFINISHED_RESPONSE + b"{")
    await writer.drain()
    writer.transport.abort()
