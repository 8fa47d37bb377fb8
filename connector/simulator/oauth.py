"""OAuth on open.tiktokapis.com: form in, a flat object out, and refusals with HTTP 200.

https://developers.tiktok.com/doc/oauth-user-access-token-management
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from .grammar import WORLD, Ask, Handler, Refusal, log_id, remaining, reply, verdict
from .ledger import BadCode, BadToken, CodeFault
from .nouns import App, Issued, Json

_CODE_FAULTS: Mapping[CodeFault, tuple[str, str]] = {
    "unknown": ("invalid_grant", "Authorization code is invalid."),
    "used": ("invalid_grant", "Authorization code is expired."),
    "expired": ("invalid_grant", "Authorization code is expired."),
    "other_app": ("invalid_grant", "Authorization code was issued to another client."),
    "other_flow": ("invalid_grant", "Authorization code is invalid."),
    "redirect": (
        "invalid_request",
        "Redirect_uri is not matched with the uri when requesting code.",
    ),
    "verifier": ("invalid_request", "Code verifier or code challenge is invalid."),
}
MESSAGES: Mapping[str, str] = {
    "invalid_client": "Client key or secret is incorrect.",
    "invalid_grant": "Refresh token is invalid or expired.",
    "invalid_request": "The request parameters are malformed.",
    "server_error": "Something went wrong. Please try again later.",
    "temporarily_unavailable": "The service is temporarily unavailable.",
    "unsupported_grant_type": "The grant type is not supported.",
}
_FORM = "application/x-www-form-urlencoded"


def refused(request: web.Request, error: str, message: str | None = None) -> web.Response:
    verdict(request, error)
    id = log_id(request.app[WORLD])
    text = message or MESSAGES.get(error, "The request was refused.")
    return reply({"error": error, "error_description": text, "log_id": id}, id=id)


def _answers(answer: Callable[[Ask, App], Json | None]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        try:
            if request.content_type != _FORM:
                raise Refusal("invalid_request", f"Only `{_FORM}` is accepted as Content-Type.")
            form = {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
            ask = Ask(world, request, form)
            data = answer(ask, _client(ask))
        except Refusal as no:
            return refused(request, str(no.code), no.message)
        verdict(request, "ok")
        return web.Response() if data is None else reply(data, id=log_id(world))

    return handle


def _client(ask: Ask) -> App:
    id, secret = _wanted(ask, "client_key", "client_secret")
    app = ask.app(id)
    if app is None or app.secret != secret:
        raise Refusal("invalid_client", MESSAGES["invalid_client"])
    if ask.world.throttled(app.id):
        raise Refusal("rate_limit_exceeded", "The API rate limit was exceeded.")
    return app


def _wanted(ask: Ask, *names: str) -> list[str]:
    values = [ask.text(name) for name in names]
    if not all(values):
        raise Refusal("invalid_request", MESSAGES["invalid_request"])
    return values


def token(ask: Ask, app: App) -> Json:
    (kind,) = _wanted(ask, "grant_type")
    if kind == "authorization_code":
        return _exchange(ask, app)
    if kind == "refresh_token":
        return _refresh(ask, app)
    if kind == "client_credentials":
        ask.note(what="client_credentials", family="login_kit")
        return {"access_token": f"clt.{log_id(ask.world)}", "expires_in": 7_200, **_BEARER}
    raise Refusal("unsupported_grant_type", MESSAGES["unsupported_grant_type"])


_BEARER: Json = {"token_type": "Bearer"}


def _exchange(ask: Ask, app: App) -> Json:
    ask.note(what="exchange", family="login_kit")
    code, redirect_uri = _wanted(ask, "code", "redirect_uri")
    try:
        issued = ask.world.ledger.redeem(
            code,
            family="login_kit",
            app_id=app.id,
            redirect_uri=redirect_uri,
            verifier=ask.text("code_verifier"),
        )
    except BadCode as bad:
        raise Refusal(*_CODE_FAULTS[bad.fault]) from None
    return _tokens(ask, issued)


def _refresh(ask: Ask, app: App) -> Json:
    ask.note(what="refresh", family="login_kit")
    (spent,) = _wanted(ask, "refresh_token")
    try:
        issued = ask.world.ledger.refresh(spent, family="login_kit", app_id=app.id)
    except BadToken:
        raise Refusal("invalid_grant", MESSAGES["invalid_grant"]) from None
    return _tokens(ask, issued)


def _tokens(ask: Ask, issued: Issued) -> Json:
    now = ask.world.now()
    ask.note(subject=issued.grant.subject)
    return {
        "access_token": issued.access,
        "expires_in": remaining(issued.access_until, now=now),
        "open_id": issued.grant.subject,
        "refresh_expires_in": remaining(issued.refresh_until, now=now),
        "refresh_token": issued.refresh,
        "scope": ",".join(issued.grant.scopes),
        **_BEARER,
    }


def revoke(ask: Ask, app: App) -> None:
    """An empty body, also for a token that is dead already."""
    ask.note(what="revoke", family="login_kit")
    (given,) = _wanted(ask, "token")
    try:
        grant = ask.world.ledger.either(given)
    except BadToken:
        return
    if grant.app_id == app.id and grant.family == "login_kit":
        ask.world.ledger.revoke([grant])


ROUTES: list[web.RouteDef] = [
    web.post("/v2/oauth/token/", _answers(token)),
    web.post("/v2/oauth/revoke/", _answers(revoke)),
]
