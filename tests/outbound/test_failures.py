"""Requests without a response: time limits, TLS, and connections that fail."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import traceback
from ipaddress import ip_network
from pathlib import Path

import pytest

from connector.outbound import OutboundClient, OutboundError
from tests.processes import free_port
from tests.raw_servers import (
    UNFINISHED_RESPONSE,
    Responder,
    http_server,
    never_respond,
    reset_at_once,
    reset_in_the_body,
    respond_with,
    send_byte_by_byte,
    stop_in_the_body,
    tcp_server,
)

from .certificates import tls_contexts
from .recording_server import RecordingServer
from .resolvers import ScriptedResolver, SilentResolver

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "fake-secret"


async def failure_of(
    url: str,
    *,
    connect_seconds: float = 5,
    total_seconds: float = 5,
    resolver: ScriptedResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> OutboundError:
    client = OutboundClient(
        private_networks=LOOPBACK,
        resolver=resolver,
        connect_seconds=connect_seconds,
        total_seconds=total_seconds,
        tls=tls,
    )
    started = time.perf_counter()
    with pytest.raises(OutboundError) as caught:
        await client.post(url, b"{}", {"Authorization": SECRET})
    await client.close()
    assert time.perf_counter() - started < 4
    return caught.value


@pytest.mark.parametrize("respond", [never_respond, stop_in_the_body, send_byte_by_byte])
async def test_one_time_limit_covers_the_whole_response(respond: Responder) -> None:
    async with http_server(respond) as origin:
        error = await failure_of(origin, total_seconds=0.05)
    assert error.timed_out
    assert error.sentence == "There was no complete response within 0.05 seconds."


async def test_the_time_limit_of_a_connection_covers_tls() -> None:
    async with tcp_server(never_respond) as origin:
        url = origin.replace("http:", "https:")
        error = await failure_of(url, connect_seconds=0.05)
    assert error.timed_out
    assert error.sentence == "No connection could be made within 0.05 seconds."


async def test_the_time_limit_of_a_connection_covers_all_addresses_of_a_name() -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"] * 50])
    async with tcp_server(never_respond) as origin:
        url = origin.replace("http://127.0.0.1", "https://hooks.example")
        error = await failure_of(url, connect_seconds=0.2, resolver=resolver)
    assert error.timed_out
    assert "No connection could be made within" in error.sentence


async def test_the_total_time_limit_covers_the_lookup() -> None:
    error = await failure_of(
        "https://hooks.example/", total_seconds=0.05, resolver=SilentResolver()
    )
    assert error.timed_out


async def test_a_name_server_that_does_not_answer_is_named() -> None:
    error = await failure_of(
        "https://hooks.example/", connect_seconds=0.05, resolver=SilentResolver()
    )
    assert error.timed_out
    assert error.sentence == "The name server did not answer in time."


async def test_a_name_that_has_no_address_any_more_is_named() -> None:
    error = await failure_of("https://hooks.example/", resolver=ScriptedResolver())
    assert not error.timed_out
    assert "has no address" in error.sentence


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (reset_at_once, "closed before"),
        (reset_in_the_body, "closed before"),
        (respond_with(), "closed before"),
        (respond_with(UNFINISHED_RESPONSE + b'{"cut'), "closed before"),
        (respond_with(b"SSH-2.0-OpenSSH_9.6\r\n"), "not valid HTTP"),
        (respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "not valid HTTP"),
        (respond_with(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "not valid HTTP"),
    ],
)
async def test_a_broken_response_is_a_failure_that_shows_no_secret_and_no_address(
    respond: Responder, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"]])
    async with http_server(respond) as origin:
        url = origin.replace("127.0.0.1", "hooks.example") + f"/?token={SECRET}"
        error = await failure_of(url, resolver=resolver)
    assert reason in error.sentence
    assert not error.timed_out
    shown = "".join(traceback.format_exception(error)) + caplog.text
    assert SECRET not in shown
    assert "127.0.0.1" not in shown


async def test_a_port_where_nobody_listens_is_a_failure_without_the_address() -> None:
    resolver = ScriptedResolver(hooks_example=[["127.0.0.1"]])
    error = await failure_of(f"http://hooks.example:{free_port()}/", resolver=resolver)
    assert error.sentence == "No connection could be made: Connection refused."
    assert not error.timed_out


async def test_a_server_that_does_not_support_tls_is_a_failure() -> None:
    async with tcp_server(respond_with(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as origin:
        error = await failure_of(origin.replace("http:", "https:"))
    assert error.sentence == "The server does not accept TLS."


async def deliver_over_tls(folder: Path, *, certificate_for: str, trusted: bool) -> int | str:
    """Returns the status of the response of https://hooks.example, or the sentence of the failure."""
    contexts = tls_contexts(folder, certificate_for)
    handler = RecordingServer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler.serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    client = OutboundClient(
        private_networks=LOOPBACK,
        resolver=ScriptedResolver(hooks_example=[["127.0.0.1"]]),
        tls=contexts.client if trusted else None,
    )
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=contexts.server)
    async with server:
        url = f"https://hooks.example:{server.sockets[0].getsockname()[1]}/"
        try:
            return (await client.post(url, b"{}", {})).status
        except OutboundError as error:
            return error.sentence
        finally:
            await client.close()


async def test_the_certificate_is_verified_for_the_name_and_not_for_the_address(
    tmp_path: Path,
) -> None:
    result = await deliver_over_tls(tmp_path, certificate_for="hooks.example", trusted=True)
    assert result == 204


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    result = await deliver_over_tls(tmp_path, certificate_for="other.example", trusted=True)
    assert str(result).startswith("The TLS certificate was not accepted: Hostname mismatch")
    assert str(result).endswith("'hooks.example'.")
    assert "127.0.0.1" not in str(result)


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    result = await deliver_over_tls(tmp_path, certificate_for="hooks.example", trusted=False)
    assert str(result).startswith("The TLS certificate was not accepted: self")
