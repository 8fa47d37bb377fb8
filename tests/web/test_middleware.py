"""What happens to every request, whichever way it goes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.houses import AS_SERVER

from .conftest import OURS, Site

PREFLIGHT = {
    "Origin": OURS,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/connections", "/connect", "/docs"])
async def test_every_answer_has_a_name_and_is_guarded(site: Site, path: str) -> None:
    answer = await site.get(path)
    headers = answer.headers
    assert len(headers["X-Request-Id"]) == 32
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("no-cache" if path == "/connect" else "no-store")
    assert "Server" not in headers
    html = headers["Content-Type"].startswith("text/html")
    assert ("Content-Security-Policy" in headers) is html


async def test_a_request_keeps_the_name_it_came_with_if_it_is_sane(site: Site) -> None:
    for name in ("abc-123", "0af7651916cd43dd8448eb211c80319c", "a" * 128):
        answer = await site.get("/healthz", {"X-Request-Id": name})
        assert answer.headers["X-Request-Id"] == name
    for name in ("", "a b", "<script>", "a" * 129, "\u00e4"):
        answer = await site.get("/healthz", {"X-Request-Id": name})
        assert len(answer.headers["X-Request-Id"]) == 32


async def test_the_customers_frontend_may_call_us_without_the_cookie(site: Site) -> None:
    answer = await site.call("OPTIONS", "/oauth/exchange", headers=PREFLIGHT)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    for method, path in (("POST", "/oauth/exchange"), ("GET", "/connections"), ("GET", "/x")):
        answer = await site.call(method, path, headers={"Origin": OURS})
        assert answer.headers["Access-Control-Allow-Origin"] == OURS
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [f"{OURS}.evil.test", f"{OURS}:8443", OURS.replace("https", "http"), OURS.upper(), "null", "*"],
)
async def test_nobody_elses_page_may(site: Site, origin: str) -> None:
    preflight = await site.call("OPTIONS", "/connections", headers=PREFLIGHT | {"Origin": origin})
    assert preflight.status == 405
    for answer in (preflight, await site.get("/connections", AS_SERVER | {"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_the_log_says_what_was_asked_but_never_what_was_in_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    id = (await site.connected())["connection_id"]
    caplog.clear()
    await site.get(f"/connections/{id}?code=canary", AS_SERVER | {"X-Request-Id": "r1"})
    await site.get("/oauth/callback?code=canary&state=canary", {"X-Request-Id": "r2"})
    await site.call("PUT", "/canary", headers={"X-Request-Id": "r3"})
    lines = [record.getMessage() for record in caplog.records if "web" in record.name]
    assert lines == [
        "answered method=GET address=/connections/{id} status=200 ms=0 request=r1 who=server",
        "answered method=GET address=/oauth/callback status=200 ms=0 request=r2 who=nobody",
        "answered method=- address=unknown status=404 ms=0 request=r3 who=nobody",
    ]
    assert "canary" not in caplog.text


async def test_whoever_goes_away_does_not_cut_the_exchange(site: Site) -> None:
    """A browser closed at the wrong moment has spent the code; the connection is there all the same."""
    code, state = await site.simulator.consent(), await site.state()
    await site.simulator.fault("oauth2/access_token", "hang")
    posted = asyncio.create_task(site.post("/oauth/exchange", code=code, state=state))
    while (await site.simulator.stats())["faults"] == 0:
        pass
    posted.cancel()
    await asyncio.gather(posted, return_exceptions=True)
    async with site.http.delete(f"{site.simulator.url}/_sim/faults"):
        pass
    assert (await site.post("/oauth/exchange", code=code, state=state)).status == 200
    assert (await site.simulator.stats())["exchanges"] == 1


async def test_what_is_no_http_is_not_quoted_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.get("/healthz")
    for line in (b"GET /x?code=canary HTTP/9\r\n\r\n", b"GET /x?code=canary\0 HTTP/1.1\r\n\r\n"):
        host, _, port = site.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line)
        assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()
        await writer.wait_closed()
    assert "canary" not in caplog.text
