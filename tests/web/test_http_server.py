"""Requests that are malformed or too long get the same error shape, sent over a raw socket."""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

import pytest

from connector.web.request_parsing import MAX_LINE_BYTES
from tests.running_service import AS_SERVER

from .conftest import Harness
from .test_errors import ERROR_FIELDS, assert_error

TOO_LONG = b"canary" * (MAX_LINE_BYTES // 6 + 1)
MALFORMED = {
    "invalid method": b"G(T /x?code=canary HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /x?code=canary\r\n\r\n",
    "HTTP/2.0": b"GET /healthz?code=canary HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2.0 and Expect": b"GET /x HTTP/2.0\r\nHost: x\r\nExpect: canary\r\n\r\n",
    "unknown version": b"GET /x?code=canary HTTP/9\r\n\r\n",
    "NUL in the path": b"GET /x?code=canary\0 HTTP/1.1\r\n\r\n",
    "too long path": b"GET /x?code=" + TOO_LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "too long cookies": b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: a=" + TOO_LONG + b"\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary\r\n\r\n",
    "invalid chunks": b"POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\ncanary\r\n",
}
CHUNKED_POST = "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{}\r\n"
CHUNKED_BODIES = {
    "a chunk without a size": ("", b"canary\r\n"),
    "a second chunk without a size": ("", b"1\r\n{\r\ncanary\r\n"),
    "a chunk longer than its size": ("", b"2\r\n{}canary\r\n"),
    "no gzip": ("Content-Encoding: gzip\r\n", b"6\r\ncanary\r\n"),
}


@dataclass(frozen=True)
class RawResponse:
    status_line: bytes
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, response: bytes) -> RawResponse:
        head, _, body = response.partition(b"\r\n\r\n")
        status_line, _, headers = head.partition(b"\r\n")
        return cls(status_line, dict(message_from_bytes(headers).items()), body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def connection(harness: Harness) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    host, _, port = harness.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(5):
            yield reader, writer
    finally:
        writer.close()


async def send(harness: Harness, request: bytes) -> RawResponse:
    """Returns the response after the service has closed the connection."""
    async with connection(harness) as (reader, writer):
        writer.write(request)
        return RawResponse.parse(await reader.read())


@pytest.fixture
def short_body_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.web.request_parsing.BODY_TIMEOUT", 0.05)


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_malformed_request_gets_the_json_error_and_is_not_quoted(
    harness: Harness, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    response = await send(harness, MALFORMED[kind])
    error, request_id = response.json, response.headers["X-Request-Id"]
    assert response.status_line == b"HTTP/1.0 400 Bad Request"
    assert error.keys() == ERROR_FIELDS
    assert (error["success"], error["code"]) == (False, "invalid_request")
    assert error["request_id"] == request_id
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in response.headers
    assert b"canary" not in response.body
    assert "canary" not in caplog.text
    line = (
        "request answered method=- route=unknown status=400 duration_ms=0 "
        f"request_id={request_id} principal=anonymous"
    )
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", line)
    ]


@pytest.mark.usefixtures("short_body_timeout")
@pytest.mark.parametrize("kind", CHUNKED_BODIES)
async def test_an_invalid_chunked_body_is_rejected_and_the_connection_is_closed(
    harness: Harness, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    headers, body = CHUNKED_BODIES[kind]
    async with connection(harness) as (reader, writer):
        head = CHUNKED_POST.format("/oauth/exchange", f"Expect: 100-continue\r\n{headers}")
        writer.write(head.encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        response = RawResponse.parse(await reader.read())
    assert response.status_line == b"HTTP/1.1 400 Bad Request"
    assert response.headers["Connection"] == "close"
    assert response.json.keys() == ERROR_FIELDS
    assert response.json["code"] == "invalid_request"
    assert response.json["error"].startswith("The body ")
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "canary" not in caplog.text


@pytest.mark.usefixtures("short_body_timeout")
async def test_a_body_that_never_arrives_is_rejected_after_a_timeout(harness: Harness) -> None:
    head = b"POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    response = await send(harness, head + b"{")
    assert response.status_line == b"HTTP/1.1 400 Bad Request"
    assert response.json["error"] == "The body was not complete after 0.05 seconds."


@pytest.mark.usefixtures("short_body_timeout")
async def test_an_invalid_chunked_body_of_a_pipelined_request_is_rejected(
    harness: Harness,
) -> None:
    async with connection(harness) as (reader, writer):
        first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(first + CHUNKED_POST.format("/oauth/exchange", "").encode())
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        writer.write(b"canary\r\n")
        response = RawResponse.parse(await reader.read())
    assert response.status_line == b"HTTP/1.1 400 Bad Request"
    assert response.json["code"] == "invalid_request"


@pytest.mark.parametrize("kind", CHUNKED_BODIES)
async def test_an_invalid_chunked_body_after_the_response_is_not_logged_as_a_bug(
    harness: Harness, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    headers, body = CHUNKED_BODIES[kind]
    async with connection(harness) as (reader, writer):
        writer.write(CHUNKED_POST.format("/nothing", headers).encode())
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 404 Not Found")
        writer.write(body)
        writer.write_eof()
        assert await reader.read() == b""
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/oauth/exchange"), ("GET", "/connections"), ("GET", "/x"), ("PUT", "/connections")],
)
async def test_an_unknown_expect_header_is_rejected_on_every_path(
    harness: Harness, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    caplog.set_level(logging.INFO)
    response = await harness.call(method, path, headers=AS_SERVER | {"Expect": "canary"})
    error = assert_error(response, 400, "invalid_request")
    assert error.json["error"] == "The only accepted value of the Expect header is 100-continue."
    assert error.headers["X-Content-Type-Options"] == "nosniff"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("request answered")
    assert "status=400" in line
    assert "canary" not in line


@pytest.mark.parametrize("path", [b"/oauth/exchange", b"/nothing"])
async def test_an_expect_header_that_is_not_utf_8_is_rejected(
    harness: Harness, caplog: pytest.LogCaptureFixture, path: bytes
) -> None:
    caplog.set_level(logging.INFO)
    response = await send(
        harness,
        b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: \xff\r\n\r\n",
    )
    assert response.status_line == b"HTTP/1.1 400 Bad Request"
    assert response.json["code"] == "invalid_request"
    assert "Expect header" in response.json["error"]
    assert [record.levelname for record in caplog.records] == ["INFO"]


async def test_a_request_that_expects_100_continue_is_continued(harness: Harness) -> None:
    response = await harness.call("POST", "/oauth/exchange", json={"code": "c"}, expect100=True)
    assert assert_error(response, 400, "invalid_request").json["error"] == "state is missing."


@pytest.mark.parametrize("header", [b"X-API-Key: \xff\xfe", b"Authorization: Bearer \xff\xfe"])
async def test_credentials_that_are_not_utf_8_are_wrong_credentials(
    harness: Harness, header: bytes
) -> None:
    request = b"GET /connections HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n"
    response = await send(harness, request % header)
    assert response.status_line == b"HTTP/1.1 401 Unauthorized"


async def test_the_large_cookies_of_a_shared_domain_are_accepted(harness: Harness) -> None:
    """A Supabase session on a shared parent domain is several cookies of 3 KiB, in one header."""
    cookies = "; ".join(f"sb-ref-auth-token.{n}={'x' * 3180}" for n in range(9))
    assert (await harness.get("/healthz", {"Cookie": cookies})).status == 200
    assert (await harness.get(f"/healthz?more={'x' * 20_000}")).status == 200


async def test_the_service_continues_after_malformed_requests(harness: Harness) -> None:
    for request in MALFORMED.values():
        await send(harness, request)
    assert (await harness.get("/healthz")).status == 200
    metrics = harness.service.metrics.render().decode()
    assert 'method="-",route="unknown"' in metrics
