"""The format of open.tiktokapis.com: HTTP statuses, Bearer tokens, `{data, error}`.

https://developers.tiktok.com/doc/tiktok-api-v2-error-handling

The OAuth endpoints of this host use another, flat format: see `open_api_oauth`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from .api_call import (
    STATE,
    ApiCall,
    ApiError,
    Endpoint,
    Handler,
    json_response,
    new_log_id,
    set_log_result,
)
from .model import Grant, Json
from .token_registry import InvalidToken

_STATUS_BY_CODE: Mapping[str, int] = {
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "scope_permission_missed": 400,
    "rate_limit_exceeded": 429,
    "invalid_params": 400,
    "invalid_param": 400,
    "internal_error": 500,
}
_MESSAGES: Mapping[str, str] = {
    "access_token_invalid": "The access token is invalid or not found in the request.",
    "scope_not_authorized": "The user did not authorize the scope required for this request.",
    "rate_limit_exceeded": "The API rate limit was exceeded. Please try again later.",
    "internal_error": "Something went wrong. Please try again later.",
}


def api_error(code: str, message: str | None = None, *, default_status: int = 400) -> ApiError:
    """`default_status` applies to codes that have no fixed HTTP status."""
    status = _STATUS_BY_CODE.get(code, default_status)
    return ApiError(code, message or _message_of(code), status=status)


def get_route(path: str, endpoint: Endpoint) -> web.RouteDef:
    return web.get(path, _as_handler(endpoint), allow_head=False)


def post_route(path: str, endpoint: Endpoint) -> web.RouteDef:
    return web.post(path, _as_handler(endpoint))


def _as_handler(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            is_post = request.method == "POST"
            parameters = await _parse_body(request) if is_post else dict(request.query)
            data = endpoint(ApiCall(request.app[STATE], request, parameters))
        except ApiError as error:
            return error_response(
                request, str(error.code), message=error.message, status=error.status
            )
        return _envelope(request, data)

    return handle


def error_response(
    request: web.Request, code: str, *, message: str | None = None, status: int | None = None
) -> web.Response:
    return _envelope(
        request,
        {},
        code=code,
        message=message or _message_of(code),
        status=status or _STATUS_BY_CODE.get(code, 400),
    )


def _message_of(code: str) -> str:
    return _MESSAGES.get(code, "The request was refused.")


def _envelope(
    request: web.Request, data: Json, *, code: str = "ok", message: str = "", status: int = 200
) -> web.Response:
    set_log_result(request, code)
    log_id = new_log_id(request.app[STATE])
    body = {"data": data, "error": {"code": code, "message": message, "log_id": log_id}}
    return json_response(body, log_id=log_id, status=status)


async def _parse_body(request: web.Request) -> Json:
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise ApiError("invalid_params", "Content-Type must be application/json.", status=400)
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError("invalid_params", "The request body is not a JSON object.", status=400)
    return body


def require_token(call: ApiCall, *any_of_scopes: str) -> Grant:
    """The active grant of the Bearer token, which must have at least one of these scopes."""
    scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
    try:
        issued = call.state.tokens.find_access_token(
            token.strip() if scheme.lower() == "bearer" else ""
        )
    except InvalidToken:
        raise api_error("access_token_invalid") from None
    grant = issued.grant
    if grant.family != "login_kit":
        raise api_error("access_token_invalid")
    call.log_grant(grant)
    if any_of_scopes and not set(any_of_scopes) & set(grant.scopes):
        raise api_error("scope_not_authorized")
    if call.state.exceeds_rate_limit(grant.app_id):
        raise api_error("rate_limit_exceeded")
    return grant
