"""Connections that are idle, or that never complete a header, are closed. Sent over raw sockets."""

from __future__ import annotations

import asyncio
import logging

import pytest

from connector.web import http_server
from tests.running_service import AS_SERVER

from .conftest import Harness
from .test_http_server import connection

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT = 0.1


@pytest.fixture
def short_header_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEADER_SECONDS", SHORT)


@pytest.fixture
def short_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", SHORT)


def test_an_idle_connection_stays_open_longer_than_a_proxy_uses_it() -> None:
    assert http_server.KEEP_ALIVE_SECONDS == 75
    assert http_server.HEADER_SECONDS == 30


@pytest.mark.usefixtures("short_header_deadline")
@pytest.mark.parametrize("start", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_without_a_complete_header_is_closed(
    harness: Harness, caplog: pytest.LogCaptureFixture, start: bytes
) -> None:
    caplog.set_level(logging.INFO)
    async with connection(harness) as (reader, writer):
        writer.write(start)
        assert await reader.read() == b""
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("connection closed, the header of a request was not complete")


@pytest.mark.usefixtures("short_header_deadline")
async def test_a_header_that_arrives_byte_by_byte_gets_no_more_time(harness: Harness) -> None:
    async with connection(harness) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
        reading = asyncio.create_task(reader.read())
        while not reading.done():
            writer.write(b"a")
            await asyncio.wait({reading}, timeout=SHORT / 10)
    # The kernel reports the bytes that arrived after the end as a reset.
    assert isinstance(reading.exception(), ConnectionResetError) or reading.result() == b""


@pytest.mark.usefixtures("short_header_deadline")
async def test_the_deadline_holds_for_the_second_request_of_a_connection(harness: Harness) -> None:
    async with connection(harness) as (reader, writer):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert await reader.read() == b""


@pytest.mark.usefixtures("short_keep_alive")
async def test_a_connection_that_is_idle_after_a_response_is_closed(harness: Harness) -> None:
    async with connection(harness) as (reader, writer):
        writer.write(REQUEST)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        assert await reader.read() == b""


@pytest.mark.usefixtures("short_header_deadline")
async def test_an_idle_connection_is_not_closed_by_the_deadline_of_a_header(
    harness: Harness,
) -> None:
    async with connection(harness) as (reader, writer):
        for _ in range(2):
            writer.write(REQUEST)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), timeout=3 * SHORT)


@pytest.mark.usefixtures("short_header_deadline", "short_keep_alive")
async def test_a_request_may_take_longer_than_the_deadlines(harness: Harness) -> None:
    connection_id = (await harness.connect(family="login_kit"))["connection_id"]
    await harness.simulator.post("/_sim/settings", {"latency_ms": 5 * SHORT * 1000})
    path = f"/connections/{connection_id}/refresh"
    response = await harness.call("POST", path, headers=AS_SERVER)
    assert response.status == 200


@pytest.mark.usefixtures("short_header_deadline")
async def test_the_service_answers_while_many_half_open_connections_wait(harness: Harness) -> None:
    host, _, port = harness.url.removeprefix("http://").partition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
    for _, writer in opened:
        writer.write(b"GET /heal")
    assert (await harness.get("/healthz")).status == 200
    async with asyncio.timeout(5):
        reading = (reader.read() for reader, _ in opened)
        ends = await asyncio.gather(*reading, return_exceptions=True)
    # On a slow machine the first connections are closed before the test writes to them.
    assert all(end == b"" or isinstance(end, ConnectionResetError) for end in ends)
    for _, writer in opened:
        writer.close()
