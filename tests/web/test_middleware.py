"""The middleware adds headers, CORS, a log line and cancellation rules to every request."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.running_service import AS_SERVER

from .conftest import ALLOWED_ORIGIN, Harness, StartService

PREFLIGHT = {
    "Origin": ALLOWED_ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/connections", "/connect", "/docs"])
async def test_every_response_has_a_request_id_and_security_headers(
    harness: Harness, path: str
) -> None:
    response = await harness.get(path)
    headers = response.headers
    assert len(headers["X-Request-Id"]) == 32
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("no-cache" if path == "/connect" else "no-store")
    assert "Server" not in headers
    is_html = headers["Content-Type"].startswith("text/html")
    assert ("Content-Security-Policy" in headers) is is_html
    assert ("Permissions-Policy" in headers) is is_html
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/connect"])
async def test_over_https_browsers_are_told_to_use_only_https(
    start_service: StartService, path: str
) -> None:
    service = await start_service(CONNECTOR_PUBLIC_URL="https://connect.example.com")
    headers = (await service.get(path)).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_a_valid_request_id_of_the_client_is_used_and_an_invalid_request_id_is_replaced(
    harness: Harness,
) -> None:
    for request_id in ("abc-123", "0af7651916cd43dd8448eb211c80319c", "a" * 128):
        response = await harness.get("/healthz", {"X-Request-Id": request_id})
        assert response.headers["X-Request-Id"] == request_id
    for request_id in ("", "a b", "<script>", "a" * 129, "\u00e4"):
        response = await harness.get("/healthz", {"X-Request-Id": request_id})
        assert len(response.headers["X-Request-Id"]) == 32


async def test_an_allowed_origin_may_call_the_api_without_cookies(harness: Harness) -> None:
    response = await harness.call("OPTIONS", "/oauth/exchange", headers=PREFLIGHT)
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    for method, path in (("POST", "/oauth/exchange"), ("GET", "/connections"), ("GET", "/x")):
        response = await harness.call(method, path, headers={"Origin": ALLOWED_ORIGIN})
        assert response.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
        assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "origin",
    [
        f"{ALLOWED_ORIGIN}.evil.test",
        f"{ALLOWED_ORIGIN}:8443",
        ALLOWED_ORIGIN.replace("https", "http"),
        ALLOWED_ORIGIN.upper(),
        "null",
        "*",
    ],
)
async def test_other_origins_may_not_call_the_api(harness: Harness, origin: str) -> None:
    preflight = await harness.call(
        "OPTIONS", "/connections", headers=PREFLIGHT | {"Origin": origin}
    )
    assert preflight.status == 405
    for response in (preflight, await harness.get("/connections", AS_SERVER | {"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


async def test_no_page_of_another_origin_may_read_a_token(harness: Harness) -> None:
    id = (await harness.connect())["connection_id"]
    for path in (f"/connections/{id}/token", "/token"):
        preflight = await harness.call(
            "OPTIONS", path, headers=PREFLIGHT | {"Access-Control-Request-Method": "GET"}
        )
        assert preflight.status == 405
        for response in (
            preflight,
            await harness.get(path, AS_SERVER | {"Origin": ALLOWED_ORIGIN}),
            await harness.get(path, {"Origin": ALLOWED_ORIGIN}),
        ):
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_log_line_contains_the_route_but_never_the_path_or_query(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connection_id = (await harness.connect())["connection_id"]
    caplog.clear()
    await harness.get(
        f"/connections/{connection_id}?code=canary", AS_SERVER | {"X-Request-Id": "r1"}
    )
    await harness.get("/oauth/callback?code=canary&state=canary", {"X-Request-Id": "r2"})
    await harness.call("PUT", "/canary", headers={"X-Request-Id": "r3"})
    lines = [record.getMessage() for record in caplog.records if "web" in record.name]
    line = "request answered method={} route={} status={} duration_ms=0 request_id={} principal={}"
    assert lines == [
        line.format("GET", "/connections/{id}", 200, "r1", "server"),
        line.format("GET", "/oauth/callback", 200, "r2", "anonymous"),
        line.format("-", "unknown", 404, "r3", "anonymous"),
    ]
    assert "canary" not in caplog.text


async def test_an_exchange_continues_after_its_client_disconnects(harness: Harness) -> None:
    """The code is used by then, so a repeated POST must find the connection."""
    code, state = await harness.simulator.consent(), await harness.state()
    await harness.simulator.fault("oauth2/access_token", "hang")
    request = asyncio.create_task(harness.post("/oauth/exchange", code=code, state=state))
    while (await harness.simulator.stats())["faults"] == 0:
        pass
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    async with harness.http.delete(f"{harness.simulator.url}/_sim/faults"):
        pass
    assert (await harness.post("/oauth/exchange", code=code, state=state)).status == 200
    assert (await harness.simulator.stats())["exchanges"] == 1


async def test_a_malformed_request_is_not_quoted_in_the_log(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    await harness.get("/healthz")
    for line in (b"GET /x?code=canary HTTP/9\r\n\r\n", b"GET /x?code=canary\0 HTTP/1.1\r\n\r\n"):
        host, _, port = harness.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line)
        assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()
        await writer.wait_closed()
    assert "canary" not in caplog.text
