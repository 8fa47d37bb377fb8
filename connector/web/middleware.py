"""The middleware of all requests: gives each one an id, authorizes it, logs it, and turns errors into responses.

The log line contains the route pattern, never the requested path or query, which may contain a code. An
unexpected error is logged with its traceback; the response does not contain the error.
"""

from __future__ import annotations

import logging
import re
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from connector.errors import ConnectorError, InternalError

from .access import authorize
from .app_keys import CLEAR_SESSION_COOKIE, IS_MALFORMED, PRINCIPAL, REQUEST_ID, SERVICES
from .error_responses import MALFORMED_REQUEST, error_response, http_error_response
from .response_headers import is_preflight, preflight_response
from .session_cookie import delete_session_cookie

log = logging.getLogger(__name__)

UNEXPECTED_ERROR = InternalError("An unexpected error occurred. It was logged.")
REQUEST_ID_PATTERN = re.compile("[A-Za-z0-9._-]{1,128}")


@web.middleware
async def request_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    clock = request.app[SERVICES].clock
    started = clock.ticks()
    request[REQUEST_ID] = _request_id(request.headers.get("X-Request-Id"))
    response = await _handle(request, handler)
    if request.content.exception() is not None:
        response.force_close()  # The body is incomplete, so the start of the next request is unknown.
    if CLEAR_SESSION_COOKIE in request and not response.prepared:
        delete_session_cookie(response, request)
    _record_request(request, response.status, clock.ticks() - started)
    return response


async def _handle(request: web.Request, handler: Handler) -> web.StreamResponse:
    request_id = request[REQUEST_ID]
    if IS_MALFORMED in request:
        return error_response(MALFORMED_REQUEST, request_id=request_id)
    if await is_preflight(request):
        return preflight_response()
    try:
        await authorize(request)
        return await handler(request)
    except ConnectorError as error:
        return error_response(error, request_id=request_id)
    except web.HTTPException as error:
        return http_error_response(error, request_id=request_id)
    except Exception:
        log.exception("unexpected error request_id=%s", request_id)
        return error_response(UNEXPECTED_ERROR, request_id=request_id)


def _request_id(requested: str | None) -> str:
    return requested if requested and REQUEST_ID_PATTERN.fullmatch(requested) else uuid4().hex


def _record_request(request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    # A method or path that matches no route is not recorded, because a client may send any text.
    method, route = (request.method, resource.canonical) if resource else ("-", "unknown")
    principal = request.get(PRINCIPAL)
    request.app[SERVICES].metrics.record_request(
        route=route, method=method, status=status, seconds=seconds
    )
    log.info(
        "request answered method=%s route=%s status=%d duration_ms=%d request_id=%s principal=%s",
        method,
        route,
        status,
        seconds * 1000,
        request[REQUEST_ID],
        principal.kind if principal else "anonymous",
    )
