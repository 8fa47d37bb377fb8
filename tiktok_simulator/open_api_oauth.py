"""OAuth on open.tiktokapis.com: form requests, flat JSON responses, and HTTP 200 for errors too.

https://developers.tiktok.com/doc/oauth-user-access-token-management
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from .api_call import (
    STATE,
    ApiCall,
    ApiError,
    Handler,
    json_response,
    new_log_id,
    seconds_until,
    set_log_result,
    token_fields,
)
from .model import App, IssuedTokens, Json
from .token_registry import InvalidCode, InvalidCodeReason, InvalidToken
from .webhooks import REASON_REVOKED_BY_DEVELOPER, notify_revoked

_MESSAGES: Mapping[str, str] = {
    "invalid_client": "Client key or secret is incorrect.",
    "invalid_grant": "Refresh token is invalid or expired.",
    "invalid_request": "The request parameters are malformed.",
    "server_error": "Something went wrong. Please try again later.",
    "temporarily_unavailable": "The service is temporarily unavailable.",
    "unsupported_grant_type": "The grant type is not supported.",
}
_INVALID_CODE_ERRORS: Mapping[InvalidCodeReason, tuple[str, str]] = {
    "unknown": ("invalid_grant", "Authorization code is invalid."),
    "used": ("invalid_grant", "Authorization code is expired."),
    "expired": ("invalid_grant", "Authorization code is expired."),
    "other_app": ("invalid_grant", "Authorization code was issued to another client."),
    "other_flow": ("invalid_grant", "Authorization code is invalid."),
    "redirect_uri": (
        "invalid_request",
        "Redirect_uri is not matched with the uri when requesting code.",
    ),
    "code_verifier": ("invalid_request", "Code verifier or code challenge is invalid."),
}
_FORM = "application/x-www-form-urlencoded"


def error_response(request: web.Request, error: str, *, message: str | None = None) -> web.Response:
    set_log_result(request, error)
    log_id = new_log_id(request.app[STATE])
    text = message or _MESSAGES.get(error, "The request was refused.")
    body = {"error": error, "error_description": text, "log_id": log_id}
    return json_response(body, log_id=log_id)


def _as_handler(endpoint: Callable[[ApiCall, App], Json | None]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        try:
            if request.content_type != _FORM:
                raise ApiError("invalid_request", f"Only `{_FORM}` is accepted as Content-Type.")
            form = await request.post()
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            call = ApiCall(state, request, fields)
            data = endpoint(call, _authenticate_app(call))
        except ApiError as error:
            return error_response(request, str(error.code), message=error.message)
        set_log_result(request, "ok")
        return web.Response() if data is None else json_response(data, log_id=new_log_id(state))

    return handle


def _authenticate_app(call: ApiCall) -> App:
    client_key, secret = _required(call, "client_key", "client_secret")
    app = call.find_app(client_key)
    if app is None or app.secret != secret:
        raise _api_error("invalid_client")
    if call.state.exceeds_rate_limit(app.id):
        raise ApiError("rate_limit_exceeded", "The API rate limit was exceeded.")
    return app


def _required(call: ApiCall, *names: str) -> list[str]:
    values = [call.text(name) for name in names]
    if not all(values):
        raise _api_error("invalid_request")
    return values


def _api_error(error: str) -> ApiError:
    return ApiError(error, _MESSAGES[error])


def token(call: ApiCall, app: App) -> Json:
    (grant_type,) = _required(call, "grant_type")
    if grant_type == "authorization_code":
        return _exchange(call, app)
    if grant_type == "refresh_token":
        return _refresh(call, app)
    if grant_type == "client_credentials":
        call.log_operation("client_credentials", family="login_kit")
        access_token = f"clt.{new_log_id(call.state)}"
        return {"access_token": access_token, "expires_in": 7_200, "token_type": "Bearer"}
    raise _api_error("unsupported_grant_type")


def _exchange(call: ApiCall, app: App) -> Json:
    call.log_operation("exchange", family="login_kit")
    code, redirect_uri = _required(call, "code", "redirect_uri")
    try:
        issued = call.state.tokens.redeem(
            code,
            family="login_kit",
            app_id=app.id,
            redirect_uri=redirect_uri,
            code_verifier=call.text("code_verifier"),
        )
    except InvalidCode as error:
        raise ApiError(*_INVALID_CODE_ERRORS[error.reason]) from None
    return _token_response(call, issued)


def _refresh(call: ApiCall, app: App) -> Json:
    call.log_operation("refresh", family="login_kit")
    (refresh_token,) = _required(call, "refresh_token")
    try:
        issued = call.state.tokens.refresh(refresh_token, family="login_kit", app_id=app.id)
    except InvalidToken:
        raise _api_error("invalid_grant") from None
    return _token_response(call, issued)


def _token_response(call: ApiCall, issued: IssuedTokens) -> Json:
    now = call.state.now()
    call.log_grant(issued.grant)
    return {
        **token_fields(call.state, issued),
        "refresh_expires_in": seconds_until(issued.refresh_expires_at, now=now),
    }


def revoke(call: ApiCall, app: App) -> None:
    """The response body is empty, also if the token had ended before."""
    call.log_operation("revoke", family="login_kit")
    (token,) = _required(call, "token")
    try:
        grant = call.state.tokens.find_grant(token)
    except InvalidToken:
        return
    if grant.app_id == app.id and grant.family == "login_kit":
        revoked = call.state.tokens.revoke([grant])
        notify_revoked(call.state, revoked, reason=REASON_REVOKED_BY_DEVELOPER)


ROUTES: list[web.RouteDef] = [
    web.post("/v2/oauth/token/", _as_handler(token)),
    web.post("/v2/oauth/revoke/", _as_handler(revoke)),
]
