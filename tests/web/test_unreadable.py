"""What is no HTTP, or too much of it, is answered like everything else. On a socket: no client sends it."""

from __future__ import annotations

import asyncio
import json
import logging
from email import message_from_bytes

import pytest

from connector.web.unreadable import LONGEST_LINE

from .conftest import Site
from .test_errors import SHAPE

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


async def told(site: Site, said: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """The status line, the headers and the body, once the other side has hung up."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    answer = await reader.read()
    writer.close()
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
