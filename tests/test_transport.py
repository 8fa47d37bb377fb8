"""The wire, on real sockets: servers on loopback that do everything a server can do wrong."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
import time
import traceback
import tracemalloc

import pytest

from connector.clock import Clock
from connector.errors import TikTokError, TikTokUnreachable, Unintelligible
from connector.transport import Transport
from connector.wire import Call, Request

from .clocks import NOON, TurnedClock
from .loopback import (
    HELD_OPEN,
    Answering,
    drip,
    hang,
    hang_midway,
    listening,
    ok,
    reset_at_once,
    reset_midway,
    saying,
    server,
)

SECRET = "fake-secret"
LIMIT = 100_000


def request(origin: str, *, path: str = f"/?secret={SECRET}") -> Request:
    return Request("GET", f"{origin}{path}", "oauth2/advertiser/get", {"Access-Token": SECRET})


async def failure(
    answering: Answering, *, deadline: float = 5, largest_answer: int = LIMIT
) -> TikTokError:
    async with (
        server(answering) as origin,
        Transport(Clock(), deadline=deadline, largest_answer=largest_answer) as transport,
    ):
        with pytest.raises(TikTokError) as caught:
            await transport.send(request(origin))
    return caught.value


def everything_shown(error: BaseException) -> str:
    linked = [e for e in (error, error.__cause__, error.__context__) if e]
    return f"{linked} {[vars(e) for e in linked]}" + "".join(traceback.format_exception(error))


async def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    raw = b"HTTP/1.1 404 Not Found\r\nX-TT-LOGID: t-1\r\nContent-Length: 2\r\n\r\nno"
    async with server(saying(raw)) as origin, Transport(Clock()) as transport:
        response = await transport.send(request(origin))
    assert (response.status, response.body) == (404, b"no")
    assert response.headers["x-tt-logid"] == "t-1"


async def test_a_call_is_sent_and_its_answer_read() -> None:
    async with server(saying(ok(b"42"))) as origin, Transport(Clock()) as transport:
        assert await transport.ask(Call(request(origin), lambda r: int(r.body))) == 42


async def test_the_time_is_taken_before_sending() -> None:
    clock = TurnedClock()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.turn(30)
        await saying(ok(b""))(reader, writer)

    async with server(slow) as origin, Transport(clock) as transport:
        assert (await transport.send(request(origin))).asked_at == NOON


@pytest.mark.parametrize(
    "path", ["/a%2Fb/?r=https%3A%2F%2Fx.test%2F%3Fa%3D1", "/?f=%5B%221%22%5D&g=a%20b%2B%7e"]
)
async def test_an_address_is_sent_byte_for_byte(path: str) -> None:
    lines: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        await saying(ok(b""))(reader, writer)

    async with listening(connected) as origin, Transport(Clock()) as transport:
        await transport.send(request(origin, path=path))
    assert lines == [f"GET {path} HTTP/1.1\r\n".encode()]


async def test_a_redirect_is_not_followed() -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with server(saying(raw)) as origin, Transport(Clock()) as transport:
        assert (await transport.send(request(origin))).status == 302


async def test_a_cookie_is_not_sent_back() -> None:
    heads: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await saying(ok(b"", "Set-Cookie: a=b; Path=/"))(reader, writer)

    async with listening(connected) as origin, Transport(Clock()) as transport:
        for _ in range(2):
            await transport.send(request(origin.replace("127.0.0.1", "localhost")))
    assert len(heads) == 2
    assert b"cookie" not in b"".join(heads).lower()


async def test_the_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with server(saying(ok(b"direct"))) as origin, Transport(Clock()) as transport:
        assert (await transport.send(request(origin))).body == b"direct"


async def test_an_answer_in_gzip_is_unpacked() -> None:
    body = gzip.compress(b"x" * 50_000)
    packed = saying(ok(body, "Content-Encoding: gzip"))
    async with server(packed) as origin, Transport(Clock()) as transport:
        assert (await transport.send(request(origin))).body == b"x" * 50_000


@pytest.mark.parametrize("answering", [hang, hang_midway, drip])
async def test_one_deadline_bounds_the_whole_call(answering: Answering) -> None:
    began = time.perf_counter()
    error = await failure(answering, deadline=0.05)
    assert type(error) is TikTokUnreachable
    assert "in time" in error.message
    assert error.retry_after
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "answering",
    [
        reset_at_once,
        reset_midway,
        saying(HELD_OPEN + b'{"cut'),
        saying(b"SSH-2.0-OpenSSH_9.6\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        saying(ok(b"not gzip at all", "Content-Encoding: gzip")),
    ],
)
async def test_a_broken_answer_is_unreachable_and_shows_no_secret(
    answering: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = await failure(answering)
    assert type(error) is TikTokUnreachable
    assert error.__context__ is None
    assert SECRET not in everything_shown(error)
    assert SECRET not in caplog.text
    assert "oauth2/advertiser/get" in caplog.text


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("http://127.0.0.1:1", "no connection"),
        ("http://", "settings"),
        ("http://a..b", "settings"),
    ],
)
async def test_nobody_there_is_unreachable_and_shows_no_secret(origin: str, reason: str) -> None:
    async with Transport(Clock()) as transport:
        with pytest.raises(TikTokUnreachable, match=reason) as caught:
            await transport.send(request(origin))
    assert SECRET not in everything_shown(caught.value)
    assert "127.0.0.1" not in everything_shown(caught.value)


async def test_a_header_that_would_break_the_line_is_not_sent_nor_shown() -> None:
    async with server(saying(ok(b""))) as origin, Transport(Clock()) as transport:
        broken = Request("GET", origin, "x", {"Access-Token": f"{SECRET}\r\nX: y"})
        with pytest.raises(TikTokUnreachable) as caught:
            await transport.send(broken)
    assert SECRET not in everything_shown(caught.value)


async def test_a_host_that_does_not_speak_tls_is_unreachable() -> None:
    plain = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    async with listening(plain) as origin, Transport(Clock()) as transport:
        with pytest.raises(TikTokUnreachable, match=r"no connection|certificate"):
            await transport.send(request(origin.replace("http:", "https:")))


async def test_a_body_of_fifty_megabytes_is_dropped_while_it_arrives() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        while sent < 50_000_000:
            writer.write(b" " * 50_000)
            await writer.drain()
            sent += 50_000

    assert type(await failure(flood)) is Unintelligible
    assert sent < 20_000_000


async def test_a_gzip_bomb_is_dropped_with_little_memory_used() -> None:
    bomb = saying(ok(gzip.compress(bytes(100_000_000)), "Content-Encoding: gzip"))
    tracemalloc.start()
    try:
        error = await failure(bomb, largest_answer=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert type(error) is Unintelligible
    assert peak < 10_000_000


async def test_five_thousand_advertisers_fit() -> None:
    async with server(saying(ok(b"x" * 600_000))) as origin, Transport(Clock()) as transport:
        assert len((await transport.send(request(origin))).body) == 600_000


async def test_cancelling_leaves_nothing_running() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()
        left.set()

    async with server(wait) as origin, Transport(Clock()) as transport:
        before = asyncio.all_tasks()
        asking = asyncio.create_task(transport.send(request(origin)))
        await arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(left.wait(), 5)
        assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("size", [100, 500_000])
async def test_an_answer_that_came_while_the_process_stood_still_is_not_lost(size: int) -> None:
    """The server has a thread of its own; ours holds its loop past the deadline, as SIGSTOP does."""
    asked, resume, answered, done = (threading.Event() for _ in range(4))
    ports: list[int] = []

    async def answer_when_told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.to_thread(resume.wait)
        await saying(ok(b"x" * size))(reader, writer)
        answered.set()

    async def serve() -> None:
        async with server(answer_when_told) as origin:
            ports.append(int(origin.rpartition(":")[2]))
            asked.set()
            await asyncio.to_thread(done.wait)

    elsewhere = threading.Thread(target=asyncio.run, args=(serve(),))
    elsewhere.start()
    try:
        await asyncio.to_thread(asked.wait)
        asked.clear()
        async with Transport(Clock(), deadline=0.5) as transport:
            asking = asyncio.create_task(transport.send(request(f"http://127.0.0.1:{ports[0]}")))
            await asyncio.to_thread(asked.wait)
            until = time.perf_counter() + 0.5
            resume.set()
            assert answered.wait(10)
            while time.perf_counter() < until:
                pass
            assert len((await asking).body) == size
    finally:
        done.set()
        resume.set()
        elsewhere.join()


async def test_the_connection_is_kept_for_the_next_call() -> None:
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with listening(connected) as origin, Transport(Clock()) as transport:
        for _ in range(3):
            await transport.send(request(origin))
    assert connections == 1
