"""The request and response format of business-api.tiktok.com.

Every response has HTTP status 200 and an envelope, of which only `code` counts. A POST accepts JSON
only. The token is accepted in the `Access-Token` header only. Lists in a query are JSON text.
"""

from __future__ import annotations

import asyncio
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
from .model import App, Family, Grant, IssuedTokens, Json
from .token_registry import InvalidCodeReason, InvalidToken

API_ROOT = "/open_api/v1.3/"

_MESSAGES: Mapping[int, str] = {
    40000: "The app_id is inconsistent with the token's app information.",
    40001: "No permission to operate the object.",
    40002: "Invalid parameter.",
    40100: "App reaches the QPS limit.",
    40101: "The app id and the secret do not match.",
    40102: "The access token has expired.",
    40103: "The refresh token has expired.",
    40104: "No access token: pass it in the Access-Token request header.",
    40105: "The access token is incorrect or has been revoked.",
    40106: "The core user is invalid.",
    40107: "The refresh token is invalid.",
    40110: "The auth_code is canceled, used or expired. Ask for authorization again.",
    40113: "The app does not exist or is blocked.",
    40133: (
        "Advertiser (7000000000000000001)'s QPS (11) reaches QPS limit 10 for current path, "
        "request is temporarily restricted."
    ),
    50000: "System error.",
    51010: "Internal service timed out.",
    60001: "The system is under maintenance.",
}
_INVALID_CODE_ERRORS: Mapping[InvalidCodeReason, tuple[int, str]] = {
    "unknown": (40110, _MESSAGES[40110]),
    "used": (40110, "The auth_code is canceled: it was used before. Ask for authorization again."),
    "expired": (40110, "The auth_code is canceled: it has expired. Ask for authorization again."),
    "other_app": (40101, "The app id, the secret and the auth_code do not match."),
    "other_flow": (40115, "The auth_code was issued by another authorization flow."),
    "redirect_uri": (40002, "redirect_uri: Differs from the redirect_uri of the consent link."),
    "code_verifier": (40002, "code_verifier: Does not match the challenge."),
}


def api_error(code: int) -> ApiError:
    return ApiError(code, _MESSAGES[code])


def invalid_code_error(reason: InvalidCodeReason) -> ApiError:
    return ApiError(*_INVALID_CODE_ERRORS[reason])


def get_route(path: str, endpoint: Endpoint) -> web.RouteDef:
    return web.get(API_ROOT + path, _as_handler(endpoint), allow_head=False)


def post_route(path: str, endpoint: Endpoint) -> web.RouteDef:
    return web.post(API_ROOT + path, _as_handler(endpoint))


def _as_handler(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            is_post = request.method == "POST"
            parameters = await _parse_body(request) if is_post else dict(request.query)
            call = ApiCall(request.app[STATE], request, parameters)
            data = endpoint(call)
        except ApiError as error:
            return error_response(request, int(error.code), message=error.message)
        if call.response_delay_ms:
            await asyncio.sleep(call.response_delay_ms / 1_000)
        return _envelope(request, 0, message="OK", data=data)

    return handle


def error_response(request: web.Request, code: int, *, message: str | None = None) -> web.Response:
    """`data` is missing for the codes about credentials and empty for all others."""
    text = message or _MESSAGES.get(code, "The request was refused.")
    data: Json | None = None if 40100 <= code <= 40120 else {}
    return _envelope(request, code, message=text, data=data)


def _envelope(request: web.Request, code: int, *, message: str, data: Json | None) -> web.Response:
    set_log_result(request, "ok" if code == 0 else str(code))
    log_id = new_log_id(request.app[STATE])
    body: Json = {"code": code, "message": message, "request_id": log_id}
    if data is not None:
        body["data"] = data
    return json_response(body, log_id=log_id)


async def _parse_body(request: web.Request) -> Json:
    if request.content_type != "application/json":
        raise ApiError(40002, "Content-Type: must be application/json.")
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise ApiError(40000, "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(40000, "The request body must be a JSON object.")
    return body


def required(call: ApiCall, *names: str) -> list[str]:
    values = [call.text(name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        fields = (f"{name}: Missing data for required field." for name in missing)
        raise ApiError(40002, "; ".join(fields))
    return values


def authenticate_app(call: ApiCall, *, app_id: str, secret: str) -> App:
    app = call.find_app(app_id)
    if app is None:
        raise api_error(40113)
    if app.secret != secret:
        raise api_error(40101)
    _check_rate_limit(call, app.id)
    return app


def require_token(call: ApiCall, family: Family, *, scope: str | None = None) -> IssuedTokens:
    """Returns the valid token of this family in the `Access-Token` header."""
    token = call.request.headers.get("Access-Token")
    if not token:
        raise api_error(40104)
    issued = find_token(call, token)
    grant = issued.grant
    call.log_grant(grant)
    if grant.family != family:
        raise ApiError(70001, "The token was issued for another product.")
    if scope is not None and scope not in grant.scopes:
        raise ApiError(40131, f"The person did not grant the scope {scope}.")
    _check_rate_limit(call, grant.app_id)
    if family == "accounts":
        _check_accounts_limit(call, grant)
    return issued


def find_token(call: ApiCall, token: str) -> IssuedTokens:
    """Refuses tokens of Login Kit, because they belong to the other host."""
    try:
        issued = call.state.tokens.find_access_token(token)
    except InvalidToken as error:
        raise api_error(40102 if error.reason == "expired" else 40105) from None
    if issued.grant.family == "login_kit":
        raise api_error(40105)
    return issued


def _check_rate_limit(call: ApiCall, app_id: str) -> None:
    """Counts a call once, even if the call contains both a token and an app secret."""
    already_counted, call.counted_for_rate_limit = call.counted_for_rate_limit, True
    if not already_counted and call.state.exceeds_rate_limit(app_id):
        raise api_error(40100)


def _check_accounts_limit(call: ApiCall, grant: Grant) -> None:
    if call.state.exceeds_accounts_limit(
        grant.tiktok_user_id, app_id=grant.app_id, path=call.request.path
    ):
        raise api_error(40100)


def json_parameter(
    call: ApiCall, name: str, *, type: type[list[object]] | type[Json]
) -> object | None:
    """A list or an object in a query: TikTok expects one parameter that contains JSON text."""
    text = call.text(name)
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, type):
        raise ApiError(40002, f"{name}: Not valid JSON text of a {type.__name__}.")
    return value


def text_list(call: ApiCall, name: str) -> list[str] | None:
    value = json_parameter(call, name, type=list)
    return [str(item) for item in value] if isinstance(value, list) else None


def paginate(call: ApiCall, rows: list[Json], *, max_page_size: int = 1_000) -> Json:
    page, size = _integer(call, "page", default=1), _integer(call, "page_size", default=10)
    if page < 1 or not 1 <= size <= max_page_size:
        raise ApiError(
            40002, f"page_size: Must be between 1 and {max_page_size}; page: at least 1."
        )
    page_info = {
        "page": page,
        "page_size": size,
        "total_number": len(rows),
        "total_page": -(-len(rows) // size),
    }
    return {"list": rows[(page - 1) * size : page * size], "page_info": page_info}


def _integer(call: ApiCall, name: str, *, default: int) -> int:
    text = call.text(name)
    if not text:
        return default
    if not text.lstrip("-").isdigit():
        raise ApiError(40002, f"{name}: Not a valid integer.")
    return int(text)
