"""What happens to every request: a name, a gate, one shape for whatever went wrong, a line in the log.

The log line names the address as the router knows it, never as it was typed: a query string or a path
may hold a code. What nobody foresaw is logged with its traceback and told to the outside as no more
than that.
"""

from __future__ import annotations

import logging
import math
import re
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from connector.errors import (
    Broken,
    ConnectorError,
    InvalidRequest,
    JournalUnwritable,
    MethodNotAllowed,
    NotFound,
    Refused,
    Said,
    TikTokError,
    TooLarge,
    UnsupportedMediaType,
)

from . import access, bodies, keys
from .endpoint import answered
from .unreadable import LONGEST_LINE

log = logging.getLogger(__name__)

SANE_ID = re.compile("[A-Za-z0-9._-]{1,128}")
RETRY_AFTER = 5.0
"""Where waiting helps and nobody said how long."""

JOURNAL = (
    "The service cannot write its journal, so it spends no code and no token. Try again later."
)

METHODS = "GET, POST, DELETE"
HEADERS = "Authorization, Content-Type, X-Request-Id"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
UNREADABLE = InvalidRequest(
    "This is not HTTP as it should be, or its first line or one of its headers, the cookies perhaps, "
    f"is longer than {LONGEST_LINE // 1024} KiB."
)
TRANSLATIONS: dict[int, Refused] = {
    404: NotFound("There is nothing at this address."),
    405: MethodNotAllowed("This address does not take that method."),
    413: TooLarge("The body is too large: 64 KiB at most."),
    415: UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json."),
    417: InvalidRequest("Expect may say 100-continue here, and nothing else."),
}


@web.middleware
async def conversation(request: web.Request, handler: Handler) -> web.StreamResponse:
    clock = request.app[keys.CLOCK]
    began = clock.ticks()
    request[keys.REQUEST_ID] = _request_id(request.headers.get("X-Request-Id"))
    answer = await _answer(request, handler)
    if request.content.exception() is not None:
        answer.force_close()  # Where the next request would begin, nobody can tell.
    if keys.STALE_COOKIE in request and not answer.prepared:
        answer.del_cookie(access.COOKIE, path="/")
    _take_note(request, answer.status, clock.ticks() - began)
    return answer


async def finish(request: web.Request, answer: web.StreamResponse) -> None:
    """On every answer, streamed ones too."""
    headers = answer.headers
    headers["X-Request-Id"] = request.get(keys.REQUEST_ID) or uuid4().hex
    headers.pop("Server", None)  # It would tell which versions run here.
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Cache-Control", "no-store")
    if answer.content_type == "text/html":
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    if allowed := request.app[keys.OPTIONS].allowed_origins:
        headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        # Without Allow-Credentials: the cookie is for our own pages alone.
        if origin in allowed:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    if keys.UNREADABLE in request:
        return _refusal(request, UNREADABLE)
    if _is_preflight(request):
        return _preflight()
    try:
        await access.admit(request)
        return await handler(request)
    except ConnectorError as error:
        return _refusal(request, error)
    except web.HTTPException as error:
        return _translated(request, error)
    except Exception:
        log.exception("broke request=%s", request[keys.REQUEST_ID])
        return _refusal(request, Broken("Something broke here, and it has been written down."))


def _translated(request: web.Request, error: web.HTTPException) -> web.Response:
    general = InvalidRequest("This request cannot be understood.")
    answer = _refusal(request, TRANSLATIONS.get(error.status, general))
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def _refusal(request: web.Request, error: ConnectorError) -> web.Response:
    # The journal's own sentence names a file, which is for the operator's log alone.
    inside = isinstance(error, JournalUnwritable)
    told = bodies.Refusal(
        error=JOURNAL if inside else error.message,
        code=error.code,
        retryable=error.retryable,
        request_id=request[keys.REQUEST_ID],
    )
    said = error.said if isinstance(error, TikTokError) else None
    if said not in (None, Said()):
        told = bodies.TikTokRefusal(**dict(told), tiktok=bodies.SaidTold(**vars(said)))
    answer = answered(told, status=error.status)
    if error.retry_after is not None or error.status in (429, 503):
        seconds = RETRY_AFTER if error.retry_after is None else error.retry_after
        answer.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _request_id(theirs: str | None) -> str:
    return theirs if theirs and SANE_ID.fullmatch(theirs) else uuid4().hex


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and request.headers.get("Origin") in request.app[keys.OPTIONS].allowed_origins
    )


def _preflight() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": "600",
        },
    )


def _take_note(request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    method, address = (request.method, resource.canonical) if resource else ("-", "unknown")
    request.app[keys.METRICS].answered(method, address, status, seconds)
    log.info(
        "answered method=%s address=%s status=%d ms=%d request=%s who=%s",
        method,
        address,
        status,
        seconds * 1000,
        request[keys.REQUEST_ID],
        principal.kind if (principal := request.get(keys.PRINCIPAL)) else "nobody",
    )
