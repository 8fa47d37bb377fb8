"""Adds the headers of every response, including CORS."""

from __future__ import annotations

from uuid import uuid4

from aiohttp import web

from .access import ACCESS_RULES
from .app_keys import HTTP_SETTINGS, REQUEST_ID

CORS_METHODS = "GET, POST, DELETE"
CORS_HEADERS = "Authorization, Content-Type, X-Request-Id"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
"""A year. Without includeSubDomains, because the other hosts of the domain are not ours."""


async def add_response_headers(request: web.Request, response: web.StreamResponse) -> None:
    """A signal handler of aiohttp, so that streamed responses have these headers too."""
    headers = response.headers
    headers["X-Request-Id"] = request.get(REQUEST_ID) or uuid4().hex
    headers.pop("Server", None)  # Reveals the versions of Python and aiohttp.
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Cache-Control", "no-store")
    if response.content_type == "text/html":
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        headers["Permissions-Policy"] = PERMISSIONS_POLICY
    settings = request.app[HTTP_SETTINGS]
    if settings.is_https:
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
    if allowed_origins := settings.allowed_origins:
        headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        # Without Allow-Credentials: the session cookie is only for this service's own pages.
        if origin in allowed_origins and not await _returns_tokens(request):
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"


async def is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and request.headers.get("Origin") in request.app[HTTP_SETTINGS].allowed_origins
        and not await _returns_tokens(request)
    )


async def _returns_tokens(request: web.Request) -> bool:
    """An address that returns tokens is for servers, so no page of another origin may read it. A preflight is
    about the address that the page wants to call."""
    match = request.match_info
    requested_method = request.headers.get("Access-Control-Request-Method")
    if request.method == "OPTIONS" and requested_method:
        match = await request.app.router.resolve(request.clone(method=requested_method))
    rule = request.app[ACCESS_RULES].get(match.route)
    return rule is not None and rule.scope == "tokens"


def preflight_response() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": CORS_METHODS,
            "Access-Control-Allow-Headers": CORS_HEADERS,
            "Access-Control-Max-Age": "600",
        },
    )
