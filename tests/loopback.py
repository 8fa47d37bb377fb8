"""Servers on loopback that say what they are told to, byte for byte, and do what servers do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HELD_OPEN = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@asynccontextmanager
async def listening(connected: Answering) -> AsyncIterator[str]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connected(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    sockets = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with sockets:
        yield f"http://127.0.0.1:{sockets.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def server(answering: Answering) -> AsyncIterator[str]:
    """Each connection is read up to the end of its headers, then left to `answering`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answering(reader, writer)

    async with listening(connected) as origin:
        yield origin


def saying(*pieces: bytes) -> Answering:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(pieces)
        await writer.drain()

    return answer


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_midway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HELD_OPEN + b"{")
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte whenever nothing has been heard for a moment, until the other side is gone."""
    writer.write(HELD_OPEN)
    while not reader.at_eof():
        writer.write(b" ")
        try:
            await asyncio.wait_for(reader.read(), 0.002)
        except TimeoutError:
            continue


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def reset_midway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HELD_OPEN + b"{")
    await writer.drain()
    writer.transport.abort()
