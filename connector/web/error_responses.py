"""Turns every error into an HTTP response, all in the same JSON shape."""

from __future__ import annotations

import math

from aiohttp import web

from connector.errors import (
    BodyTooLarge,
    ClientError,
    ConnectorError,
    EventsGone,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TikTokError,
    UnsupportedMediaType,
    UpstreamError,
)

from .error_schemas import ErrorResponse, EventsGoneResponse, TikTokErrorBody, TikTokErrorResponse
from .request_parsing import MAX_LINE_BYTES
from .route import json_response

DEFAULT_RETRY_AFTER = 5.0
"""Used for a status 429 or 503 if the error does not contain a time to wait."""

HTTP_ERRORS: dict[int, ClientError] = {
    404: NotFound("This address does not exist."),
    405: MethodNotAllowed("This address does not accept this method."),
    413: BodyTooLarge("The body is too large: the limit is 64 KiB."),
    415: UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json."),
    417: InvalidRequest("The only accepted value of the Expect header is 100-continue."),
}
MALFORMED_REQUEST = InvalidRequest(
    "This is not a valid HTTP request, or its first line or one of its headers (for example the cookies) "
    f"is longer than {MAX_LINE_BYTES // 1024} KiB."
)
UNKNOWN_HTTP_ERROR = InvalidRequest("This request is not valid.")


def error_response(error: ConnectorError, *, request_id: str) -> web.Response:
    body = ErrorResponse(
        error=error.message,
        code=error.code,
        retryable=error.retryable,
        request_id=request_id,
    )
    upstream = error.upstream if isinstance(error, TikTokError) else None
    if upstream not in (None, UpstreamError()):
        body = TikTokErrorResponse(**dict(body), tiktok=TikTokErrorBody(**vars(upstream)))
    if isinstance(error, EventsGone):
        body = EventsGoneResponse(**dict(body), oldest=error.oldest)
    response = json_response(body, status=error.status)
    if error.retry_after is not None or error.status in (429, 503):
        seconds = DEFAULT_RETRY_AFTER if error.retry_after is None else error.retry_after
        response.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def http_error_response(error: web.HTTPException, *, request_id: str) -> web.Response:
    """For an error that aiohttp itself raises."""
    response = error_response(
        HTTP_ERRORS.get(error.status, UNKNOWN_HTTP_ERROR), request_id=request_id
    )
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response
