"""The TikTok client on real sockets, with servers that fail in every way a server can fail."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
import traceback
import tracemalloc

import pytest

from connector.clock import Clock
from connector.errors import TikTokError, TikTokUnreachable, UnreadableResponse
from connector.tiktok import Call, Request
from connector.tiktok_client import TikTokClient

from .manual_clock import NOON, ManualClock
from .raw_servers import (
    UNFINISHED_RESPONSE,
    Responder,
    http_server,
    never_respond,
    ok_response,
    reset_at_once,
    reset_in_the_body,
    respond_with,
    send_byte_by_byte,
    stop_in_the_body,
    tcp_server,
)

SECRET = "fake-secret"


def request_to(origin: str, *, path: str = f"/?secret={SECRET}") -> Request:
    return Request("GET", f"{origin}{path}", "oauth2/advertiser/get", {"Access-Token": SECRET})


async def failure_of(
    respond: Responder, *, deadline: float = 5, max_response_bytes: int = 100_000
) -> TikTokError:
    async with (
        http_server(respond) as origin,
        TikTokClient(Clock(), deadline=deadline, max_response_bytes=max_response_bytes) as client,
    ):
        with pytest.raises(TikTokError) as caught:
            await client.send(request_to(origin))
    return caught.value


def everything_shown(error: BaseException) -> str:
    linked = [e for e in (error, error.__cause__, error.__context__) if e]
    return f"{linked} {[vars(e) for e in linked]}" + "".join(traceback.format_exception(error))


async def test_a_response_has_the_status_headers_and_body_that_the_server_sent() -> None:
    raw = b"HTTP/1.1 404 Not Found\r\nX-TT-LOGID: t-1\r\nContent-Length: 2\r\n\r\nno"
    async with http_server(respond_with(raw)) as origin, TikTokClient(Clock()) as client:
        response = await client.send(request_to(origin))
    assert (response.status, response.body) == (404, b"no")
    assert response.headers["x-tt-logid"] == "t-1"


async def test_executing_a_call_sends_the_request_and_parses_the_response() -> None:
    async with (
        http_server(respond_with(ok_response(b"42"))) as origin,
        TikTokClient(Clock()) as client,
    ):
        call = Call(request_to(origin), lambda response: int(response.body))
        assert await client.execute(call) == 42


async def test_requested_at_is_the_time_before_the_request_was_sent() -> None:
    clock = ManualClock()

    async def respond_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.advance(30)
        await respond_with(ok_response(b""))(reader, writer)

    async with http_server(respond_late) as origin, TikTokClient(clock) as client:
        assert (await client.send(request_to(origin))).requested_at == NOON


@pytest.mark.parametrize(
    "path", ["/a%2Fb/?r=https%3A%2F%2Fx.test%2F%3Fa%3D1", "/?f=%5B%221%22%5D&g=a%20b%2B%7e"]
)
async def test_a_url_is_sent_byte_for_byte(path: str) -> None:
    lines: list[bytes] = []

    async def record_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        await respond_with(ok_response(b""))(reader, writer)

    async with tcp_server(record_line) as origin, TikTokClient(Clock()) as client:
        await client.send(request_to(origin, path=path))
    assert lines == [f"GET {path} HTTP/1.1\r\n".encode()]


async def test_a_redirect_is_not_followed() -> None:
    found = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with http_server(respond_with(found)) as origin, TikTokClient(Clock()) as client:
        assert (await client.send(request_to(origin))).status == 302


async def test_a_cookie_is_not_sent_back() -> None:
    heads: list[bytes] = []

    async def record_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await respond_with(ok_response(b"", "Set-Cookie: a=b; Path=/"))(reader, writer)

    async with tcp_server(record_head) as origin, TikTokClient(Clock()) as client:
        for _ in range(2):
            await client.send(request_to(origin.replace("127.0.0.1", "localhost")))
    assert len(heads) == 2
    assert b"cookie" not in b"".join(heads).lower()


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with (
        http_server(respond_with(ok_response(b"direct"))) as origin,
        TikTokClient(Clock()) as client,
    ):
        assert (await client.send(request_to(origin))).body == b"direct"


async def test_a_gzip_response_is_decompressed() -> None:
    compressed = respond_with(ok_response(gzip.compress(b"x" * 50_000), "Content-Encoding: gzip"))
    async with http_server(compressed) as origin, TikTokClient(Clock()) as client:
        assert (await client.send(request_to(origin))).body == b"x" * 50_000


@pytest.mark.parametrize("respond", [never_respond, stop_in_the_body, send_byte_by_byte])
async def test_one_deadline_limits_the_whole_call(respond: Responder) -> None:
    started = time.perf_counter()
    error = await failure_of(respond, deadline=0.05)
    assert type(error) is TikTokUnreachable
    assert "in time" in error.message
    assert error.retry_after
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "respond",
    [
        reset_at_once,
        reset_in_the_body,
        respond_with(UNFINISHED_RESPONSE + b'{"cut'),
        respond_with(b"SSH-2.0-OpenSSH_9.6\r\n"),
        respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        respond_with(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        respond_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        respond_with(ok_response(b"not gzip at all", "Content-Encoding: gzip")),
    ],
)
async def test_a_broken_response_raises_unreachable_and_shows_no_secret(
    respond: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = await failure_of(respond)
    assert type(error) is TikTokUnreachable
    assert error.__context__ is None
    assert SECRET not in everything_shown(error)
    assert SECRET not in caplog.text
    assert "tiktok request failed endpoint=oauth2/advertiser/get" in caplog.text


@pytest.mark.parametrize(
    ("origin", "reason"),
    [("http://127.0.0.1:1", "no connection"), ("http://", "settings"), ("http://a..b", "settings")],
)
async def test_a_host_that_cannot_be_reached_raises_unreachable_and_shows_no_secret(
    origin: str, reason: str
) -> None:
    async with TikTokClient(Clock()) as client:
        with pytest.raises(TikTokUnreachable, match=reason) as caught:
            await client.send(request_to(origin))
    assert SECRET not in everything_shown(caught.value)
    assert "127.0.0.1" not in everything_shown(caught.value)


async def test_a_header_with_a_line_break_is_not_sent_and_not_shown() -> None:
    async with (
        http_server(respond_with(ok_response(b""))) as origin,
        TikTokClient(Clock()) as client,
    ):
        request = Request("GET", origin, "x", {"Access-Token": f"{SECRET}\r\nX: y"})
        with pytest.raises(TikTokUnreachable) as caught:
            await client.send(request)
    assert SECRET not in everything_shown(caught.value)


async def test_a_host_that_does_not_support_tls_raises_unreachable() -> None:
    plain = respond_with(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    async with tcp_server(plain) as origin, TikTokClient(Clock()) as client:
        with pytest.raises(TikTokUnreachable, match=r"no connection|certificate"):
            await client.send(request_to(origin.replace("http:", "https:")))


async def test_a_response_of_fifty_megabytes_is_rejected_before_it_is_complete() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        while sent < 50_000_000:
            writer.write(b" " * 50_000)
            await writer.drain()
            sent += 50_000

    assert type(await failure_of(flood)) is UnreadableResponse
    assert sent < 20_000_000


async def test_a_gzip_bomb_is_rejected_without_using_much_memory() -> None:
    bomb = respond_with(ok_response(gzip.compress(bytes(100_000_000)), "Content-Encoding: gzip"))
    tracemalloc.start()
    try:
        error = await failure_of(bomb, max_response_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert type(error) is UnreadableResponse
    assert peak < 10_000_000


async def test_a_response_with_five_thousand_advertisers_is_within_the_size_limit() -> None:
    async with (
        http_server(respond_with(ok_response(b"x" * 600_000))) as origin,
        TikTokClient(Clock()) as client,
    ):
        assert len((await client.send(request_to(origin))).body) == 600_000


async def test_a_cancelled_call_leaves_no_task_running() -> None:
    connected, disconnected = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        disconnected.set()

    async with http_server(wait) as origin, TikTokClient(Clock()) as client:
        tasks_before = asyncio.all_tasks()
        sending = asyncio.create_task(client.send(request_to(origin)))
        await connected.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(disconnected.wait(), 5)
        assert asyncio.all_tasks() <= tasks_before


async def test_a_connection_is_reused_by_the_next_call() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with tcp_server(count) as origin, TikTokClient(Clock()) as client:
        for _ in range(3):
            await client.send(request_to(origin))
    assert connections == 1
