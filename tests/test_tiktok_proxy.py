"""TIKTOK_PROXY: every call to TikTok goes through the proxy, and an error of the proxy is a clear error."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from connector.clock import Clock
from connector.errors import TikTokUnreachable
from connector.tiktok import Request
from connector.tiktok_client import TikTokClient, _Proxy
from tests.processes import free_port
from tests.tokens.harness import open_harness

from .raw_servers import Responder, http_server, never_respond, ok_response, respond_with

PASSWORD = "pass wörd/@:"
ENCODED = "user:pass%20w%C3%B6rd%2F%40%3A"
TARGET = "http://tiktok.invalid"
REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class RecordingProxy:
    """Records the head of each request, and answers it or sends it on to the host in its address."""

    respond: Responder | None = None
    heads: list[list[str]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode().splitlines())
            if self.respond is not None:
                await self.respond(reader, writer)
            else:
                await self._forward(head, reader, writer)
            if head.startswith(b"CONNECT"):
                self.received.append(await reader.read(1))
        finally:
            writer.close()

    async def _forward(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        lines = head.split(b"\r\n")
        method, address, version = lines[0].split(b" ")
        host, _, path = address.removeprefix(b"http://").partition(b"/")
        name, _, port = host.partition(b":")
        kept = [line for line in lines[1:-2] if not line.lower().startswith(b"proxy-")]
        lengths = [int(line.split(b":")[1]) for line in kept if line.startswith(b"Content-Length")]
        body = await reader.readexactly(sum(lengths))
        target_reader, target_writer = await asyncio.open_connection(name.decode(), int(port))
        request_line = b" ".join((method, b"/" + path, version))
        target_writer.write(b"\r\n".join([request_line, b"Connection: close", *kept]))
        target_writer.write(b"\r\n\r\n" + body)
        writer.write(await target_reader.read())
        target_writer.close()


@asynccontextmanager
async def recording_proxy(respond: Responder | None = None) -> AsyncIterator[RecordingProxy]:
    proxy = RecordingProxy(respond)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy


def request_to(origin: str) -> Request:
    return Request("GET", f"{origin}/a%2Fb/?f=%5B1%5D", "user/info", {"Access-Token": "secret"})


def client_through(url: str, *, deadline: float = 5) -> TikTokClient:
    address = url.replace("http://", f"http://{ENCODED}@")
    return TikTokClient(Clock(), deadline=deadline, proxy=SecretStr(address))


async def failure_through(url: str, *, target: str = TARGET, deadline: float = 5) -> str:
    """Returns the message. The error shows no part of the proxy's credentials."""
    async with client_through(url, deadline=deadline) as client:
        with pytest.raises(TikTokUnreachable) as caught:
            await client.send(request_to(target))
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(vars(client))
    assert "pass" not in shown
    assert (error.__cause__, error.__context__) == (None, None)
    assert error.retry_after
    return error.message


async def test_the_proxy_gets_the_whole_address_byte_for_byte_and_its_credentials() -> None:
    async with (
        recording_proxy(respond_with(ok_response(b"ok"))) as proxy,
        client_through(proxy.url) as client,
    ):
        assert (await client.send(request_to(TARGET))).body == b"ok"
    [[request_line, *headers]] = proxy.heads
    assert request_line == f"GET {TARGET}/a%2Fb/?f=%5B1%5D HTTP/1.1"
    credentials = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert f"Proxy-Authorization: Basic {credentials}" in headers


async def test_the_proxy_of_an_https_address_sees_only_its_host() -> None:
    async with recording_proxy(respond_with(CONNECTED)) as proxy:
        await failure_through(proxy.url, target="https://tiktok.invalid", deadline=0.3)
    [[request_line, *headers]] = proxy.heads
    assert request_line == "CONNECT tiktok.invalid:443 HTTP/1.1"
    assert not any("secret" in header or "a%2Fb" in header for header in headers)
    assert proxy.received == [b"\x16"]  # The first byte of a TLS handshake.


def test_tiktok_does_not_get_the_credentials_of_the_proxy_through_the_tunnel() -> None:
    proxy = _Proxy.parse(SecretStr(f"http://{ENCODED}@proxy.invalid:3128"))
    assert proxy.headers_of(request_to("https://tiktok.invalid")) == {}
    assert "Proxy-Authorization" in proxy.headers_of(request_to(TARGET))


@pytest.mark.parametrize("target", [TARGET, "https://tiktok.invalid"])
async def test_a_proxy_that_refuses_the_credentials_is_named(target: str) -> None:
    async with recording_proxy(respond_with(REFUSED)) as proxy:
        message = await failure_through(proxy.url, target=target)
    assert "the proxy refused the connection with HTTP 407; check TIKTOK_PROXY" in message


@pytest.mark.parametrize("target", [TARGET, "https://tiktok.invalid"])
@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
async def test_a_proxy_that_cannot_be_reached_is_named(host: str, target: str) -> None:
    message = await failure_through(f"http://{host}:{free_port()}", target=target)
    assert "no connection to the proxy could be made; check TIKTOK_PROXY" in message


@pytest.mark.parametrize("target", [TARGET, "https://tiktok.invalid"])
async def test_a_proxy_that_never_responds_ends_at_the_deadline(target: str) -> None:
    async with recording_proxy(never_respond) as proxy:
        message = await failure_through(proxy.url, target=target, deadline=0.1)
    assert "did not respond in time" in message


async def test_an_error_without_a_proxy_does_not_name_the_setting() -> None:
    async with TikTokClient(Clock()) as client, http_server(respond_with(REFUSED)) as origin:
        assert (await client.send(request_to(origin))).status == 407
        with pytest.raises(TikTokUnreachable) as caught:
            await client.send(request_to(f"http://127.0.0.1:{free_port()}"))
    assert "TIKTOK_PROXY" not in caught.value.message


async def test_every_call_of_the_service_to_tiktok_goes_through_the_proxy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with recording_proxy() as proxy, open_harness(tmp_path) as harness:
        address = proxy.url.replace("http://", f"http://{ENCODED}@")
        replica = await harness.start_replica({"TIKTOK_PROXY": address})
        for family in ("marketing", "accounts", "login_kit"):
            connection_id = await harness.connect(replica, family)
            await replica.refresh(connection_id)
            await replica.disconnect(connection_id)
        log = (await harness.simulator.get("/_sim/log"))["calls"]
    assert len(log) == len(proxy.heads) > 9
    assert ENCODED not in caplog.text
    assert PASSWORD not in caplog.text
