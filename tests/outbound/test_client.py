"""Requests on real sockets: what is sent, what is read, and where a connection goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest

from connector import __version__
from connector.outbound import OutboundClient, OutboundError, OutboundResponse
from tests.raw_servers import http_server, ok_response, respond_with, tcp_server

from .recording_server import RecordingServer, recording_server
from .resolvers import REFUSED_ADDRESSES, ScriptedResolver

LOOPBACK = (ip_network("127.0.0.0/8"),)
ONE_ADDRESS = (ip_network("127.0.0.1/32"),)


def by_name(origin: str, name: str = "hooks.example") -> str:
    return f"http://{name}:{urlsplit(origin).port}/hook"


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    """Allows loopback as a network of the operator. The name hooks.example leads to 127.0.0.1."""
    client = OutboundClient(
        private_networks=LOOPBACK, resolver=ScriptedResolver(hooks_example=[["127.0.0.1"]])
    )
    yield client
    await client.close()


async def failure_of(client: OutboundClient, url: str) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        await client.post(url, b"{}", {})
    return caught.value


async def test_the_body_and_the_headers_are_sent(client: OutboundClient) -> None:
    async with recording_server() as server:
        url = f"{server.origin}/a%2Fb?c=%2B"
        response = await client.post(
            url, b'{"a": 1}', {"Content-Type": "application/json", "webhook-id": "msg_1"}
        )
    assert response == OutboundResponse(204, None)
    assert server.bodies == [b'{"a": 1}']
    [head] = server.heads
    request_line, *headers = head.splitlines()
    assert request_line == "POST /a%2Fb?c=%2B HTTP/1.1"
    assert f"User-Agent: tiktok-connector/{__version__}" in headers
    assert {"Content-Type: application/json", "webhook-id: msg_1"} <= set(headers)


async def test_a_name_is_sent_as_the_host_and_connected_to_at_its_address(
    client: OutboundClient,
) -> None:
    async with recording_server() as server:
        assert (await client.post(by_name(server.origin), b"", {})).status == 204
    assert f"Host: hooks.example:{urlsplit(server.origin).port}" in server.heads[0]


async def test_an_error_status_is_a_response_with_its_retry_after(client: OutboundClient) -> None:
    raw = b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"
    async with recording_server(raw) as server:
        assert await client.post(server.origin, b"", {}) == OutboundResponse(503, "120")


async def test_a_redirect_is_a_response_and_is_not_followed(client: OutboundClient) -> None:
    async with recording_server() as target:
        found = f"HTTP/1.1 302 Found\r\nLocation: {target.origin}/\r\nContent-Length: 0\r\n\r\n"
        async with http_server(respond_with(found.encode())) as origin:
            assert (await client.post(origin, b"", {})).status == 302
    assert target.connections == 0


async def test_a_cookie_is_not_sent_back(client: OutboundClient) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with recording_server(cookie) as server:
        for _ in range(2):
            await client.post(by_name(server.origin), b"", {})
    assert len(server.heads) == 2
    assert "cookie" not in "".join(server.heads).lower()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_a_proxy_in_the_environment_is_not_used(
    client: OutboundClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with recording_server() as server:
        assert (await client.post(server.origin, b"", {})).status == 204


async def test_a_response_longer_than_the_limit_is_not_read_to_its_end(
    client: OutboundClient,
) -> None:
    sent, closed = 0, asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        try:
            while sent < 500_000_000:
                writer.write(b" " * 50_000)
                await writer.drain()
                sent += 50_000
        finally:
            closed.set()

    async with http_server(flood) as origin:
        assert (await client.post(origin, b"", {})).status == 200
        await asyncio.wait_for(closed.wait(), 5)
    assert sent < 20_000_000


@pytest.mark.parametrize(("length", "connections"), [(0, 1), (16 * 1024, 1), (1_000_000, 2)])
async def test_a_connection_is_used_again_if_the_response_was_read_to_its_end(
    client: OutboundClient, length: int, connections: int
) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + b"x" * length
    async with recording_server(raw) as server:
        for _ in range(2):
            assert (await client.post(by_name(server.origin), b"", {})).status == 200
    assert server.connections == connections


async def test_a_compressed_response_is_not_decompressed(client: OutboundClient) -> None:
    raw = respond_with(ok_response(b"not gzip at all", "Content-Encoding: gzip"))
    async with http_server(raw) as origin:
        assert (await client.post(origin, b"", {})).status == 200


async def test_the_client_can_be_closed_before_its_first_request() -> None:
    await OutboundClient().close()


async def results_of(
    resolver: ScriptedResolver, server: RecordingServer, attempts: int
) -> list[int | str]:
    """Sends to hooks.example some times. Only 127.0.0.1 is allowed."""
    client = OutboundClient(private_networks=ONE_ADDRESS, resolver=resolver)
    results: list[int | str] = []
    for _ in range(attempts):
        try:
            results.append((await client.post(by_name(server.origin), b"", {})).status)
        except OutboundError as error:
            results.append(error.sentence)
    await client.close()
    return results


@pytest.mark.parametrize(
    "address", sorted({*REFUSED_ADDRESSES, "127.0.0.2"} - {"127.0.0.1", "::ffff:127.0.0.1"})
)
async def test_a_name_that_leads_to_a_refused_address_later_is_refused_even_with_an_open_connection(
    address: str,
) -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"], [address], ["127.0.0.1"]])
    async with recording_server() as server:
        first, second, third = await results_of(resolver, server, 3)
    assert (first, third) == (204, 204)
    assert "not public" in str(second)
    assert address not in str(second)
    assert (server.connections, len(server.heads)) == (1, 2)


async def test_a_connection_goes_to_the_addresses_that_were_checked_and_not_to_a_second_lookup() -> (
    None
):
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"], ["127.0.0.2"]])
    async with recording_server() as server:
        assert await results_of(resolver, server, 1) == [204]
    assert resolver.lookups == ["hooks.example"]


async def test_every_attempt_resolves_the_name_again() -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"]])
    async with recording_server() as server:
        assert await results_of(resolver, server, 3) == [204, 204, 204]
    assert resolver.lookups == ["hooks.example"] * 3


async def test_a_name_that_moved_is_connected_to_at_its_new_address() -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.2"], ["127.0.0.1"]])
    client = OutboundClient(private_networks=LOOPBACK, resolver=resolver)
    async with recording_server() as server:
        await failure_of(client, by_name(server.origin))
        assert (await client.post(by_name(server.origin), b"", {})).status == 204
    await client.close()


async def test_an_ip_address_is_checked_at_delivery_although_no_name_is_resolved() -> None:
    client = OutboundClient(resolver=ScriptedResolver())
    async with recording_server() as server:
        error = await failure_of(client, server.origin.replace("http:", "https:"))
    assert "not public" in error.sentence
    assert not error.timed_out
    assert server.connections == 0


async def test_the_next_address_of_a_name_is_tried() -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.2", "127.0.0.1"]])
    client = OutboundClient(private_networks=LOOPBACK, resolver=resolver)
    async with tcp_server(RecordingServer().serve) as origin:
        assert (await client.post(by_name(origin), b"", {})).status == 204
    await client.close()


@pytest.mark.parametrize(("max_connections", "at_once"), [(3, 3), (256, 10)])
async def test_the_number_of_connections_is_limited_for_the_whole_client(
    max_connections: int, at_once: int
) -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"]])
    client = OutboundClient(
        private_networks=LOOPBACK, resolver=resolver, max_connections=max_connections
    )
    waiting, all_waiting, answer = 0, asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == at_once:
            all_waiting.set()
        await answer.wait()
        waiting -= 1
        writer.write(ok_response(b""))

    async with http_server(wait) as origin:
        urls = [origin, by_name(origin)] * 5
        sending = [asyncio.create_task(client.post(url, b"", {})) for url in urls]
        await asyncio.wait_for(all_waiting.wait(), 5)
        assert waiting == at_once
        answer.set()
        assert [response.status for response in await asyncio.gather(*sending)] == [200] * 10
    await client.close()


async def test_attempts_at_the_same_time_use_their_own_addresses() -> None:
    resolver = ScriptedResolver(a_example=[["127.0.0.1"]], b_example=[["127.0.0.2"]])
    client = OutboundClient(private_networks=LOOPBACK, resolver=resolver)
    async with recording_server() as server:
        good, bad = await asyncio.gather(
            client.post(by_name(server.origin, "a.example"), b"", {}),
            failure_of(client, by_name(server.origin, "b.example")),
        )
    assert good.status == 204
    assert "No connection could be made" in bad.sentence
    assert len(server.heads) == 1
    await client.close()
