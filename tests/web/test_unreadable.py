"""What is no HTTP, or too much of it, is answered like everything else. On a socket: no client sends it."""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes

import pytest

from connector.web.unreadable import LONGEST_LINE
from tests.houses import AS_SERVER

from .conftest import Site
from .test_errors import SHAPE, is_told

TOO_LONG = b"canary" * (LONGEST_LINE // 6 + 1)
UNREADABLE = {
    "a method that is none": b"G(T /x?code=canary HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown version": b"GET /x?code=canary HTTP/9\r\n\r\n",
    "a zero in the address": b"GET /x?code=canary\0 HTTP/1.1\r\n\r\n",
    "an endless address": b"GET /x?code=" + TOO_LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "endless cookies": b"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: a=" + TOO_LONG + b"\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary\r\n\r\n",
    "broken chunks": b"POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\ncanary\r\n",
}
IN_CHUNKS = "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{}\r\n"
BROKEN_MIDWAY = {
    "a chunk without a size": ("", b"canary\r\n"),
    "a second chunk without a size": ("", b"1\r\n{\r\ncanary\r\n"),
    "a chunk longer than it says": ("", b"2\r\n{}canary\r\n"),
    "compressed by nobody": ("Content-Encoding: gzip\r\n", b"6\r\ncanary\r\n"),
}


@asynccontextmanager
async def calling(site: Site) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    host, _, port = site.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(5):
            yield reader, writer
    finally:
        writer.close()


async def told(site: Site, said: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """The status line, the headers and the body, once the other side has hung up."""
    async with calling(site) as (reader, writer):
        writer.write(said)
        return parts(await reader.read())


def parts(answer: bytes) -> tuple[bytes, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return status, dict(message_from_bytes(headers).items()), body


@pytest.mark.parametrize("what", UNREADABLE)
async def test_it_is_refused_in_the_one_shape_and_not_quoted(
    site: Site, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    caplog.set_level(logging.INFO)
    status, headers, body = await told(site, UNREADABLE[what])
    refusal = json.loads(body)
    assert status == b"HTTP/1.0 400 Bad Request"
    assert refusal.keys() == SHAPE
    assert (refusal["success"], refusal["code"]) == (False, "invalid_request")
    assert refusal["request_id"] == headers["X-Request-Id"]
    assert headers["Content-Type"].startswith("application/json")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers
    assert b"canary" not in body
    assert "canary" not in caplog.text
    name = headers["X-Request-Id"]
    line = f"answered method=- address=unknown status=400 ms=0 request={name} who=nobody"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", line)
    ]


@pytest.mark.parametrize("what", BROKEN_MIDWAY)
async def test_a_body_that_breaks_midway_is_refused_too_and_no_more_is_read(
    site: Site, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    caplog.set_level(logging.INFO)
    headers, broken = BROKEN_MIDWAY[what]
    async with calling(site) as (reader, writer):
        writer.write(
            IN_CHUNKS.format("/oauth/exchange", f"Expect: 100-continue\r\n{headers}").encode()
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(broken)
        status, told, body = parts(await reader.read())
    refusal = json.loads(body)
    assert (status, told["Connection"]) == (b"HTTP/1.1 400 Bad Request", "close")
    assert refusal.keys() == SHAPE
    assert refusal["code"] == "invalid_request"
    assert refusal["error"] == "The body broke off, or is not what its headers say."
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "canary" not in caplog.text


async def test_a_body_that_never_comes_is_not_waited_for_forever(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.web.reading.BODY_WITHIN", 0.05)
    async with calling(site) as (reader, writer):
        head = "POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode() + b"{")
        status, _, body = parts(await reader.readuntil(b"}"))
    assert status == b"HTTP/1.1 400 Bad Request"
    assert json.loads(body)["error"] == "The body did not arrive within 0.05 seconds."


async def test_so_is_one_behind_another_request(site: Site) -> None:
    async with calling(site) as (reader, writer):
        before = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(before + IN_CHUNKS.format("/oauth/exchange", "").encode())
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        writer.write(b"canary\r\n")
        status, _, body = parts(await reader.read())
    assert status == b"HTTP/1.1 400 Bad Request"
    assert json.loads(body)["code"] == "invalid_request"


@pytest.mark.parametrize("what", BROKEN_MIDWAY)
async def test_a_body_that_breaks_once_its_request_was_answered_is_no_bug_of_ours(
    site: Site, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    caplog.set_level(logging.INFO)
    headers, broken = BROKEN_MIDWAY[what]
    async with calling(site) as (reader, writer):
        writer.write(IN_CHUNKS.format("/nothing", headers).encode())
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 404 Not Found")
        writer.write(broken)
        assert await reader.read() == b""
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/oauth/exchange"), ("GET", "/connections"), ("GET", "/x"), ("PUT", "/connections")],
)
async def test_expecting_what_nobody_knows_is_refused_wherever_it_is_sent(
    site: Site, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    caplog.set_level(logging.INFO)
    answer = await site.call(method, path, headers=AS_SERVER | {"Expect": "canary"})
    refusal = is_told(answer, 400, "invalid_request")
    assert refusal.said["error"] == "Expect may say 100-continue here, and nothing else."
    assert refusal.headers["X-Content-Type-Options"] == "nosniff"
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("answered")
    assert "status=400" in line
    assert "canary" not in line


async def test_expecting_to_be_let_go_on_is_granted(site: Site) -> None:
    answer = await site.call("POST", "/oauth/exchange", json={"code": "c"}, expect100=True)
    assert is_told(answer, 400, "invalid_request").said["error"] == "state is missing."


async def test_the_cookies_of_a_whole_domain_are_no_hindrance(site: Site) -> None:
    """A Supabase session on a shared parent domain is several cookies of 3 KiB, in one header."""
    cookies = "; ".join(f"sb-ref-auth-token.{n}={'x' * 3180}" for n in range(9))
    assert (await site.get("/healthz", {"Cookie": cookies})).status == 200
    assert (await site.get(f"/healthz?more={'x' * 20_000}")).status == 200


async def test_the_service_goes_on(site: Site) -> None:
    for said in UNREADABLE.values():
        await told(site, said)
    assert (await site.get("/healthz")).status == 200
    counted = site.house.metrics.text().decode()
    assert 'method="-",resource="unknown"' in counted
