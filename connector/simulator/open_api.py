"""The grammar of open.tiktokapis.com: true statuses, Bearer tokens, `{data, error}`.

https://developers.tiktok.com/doc/tiktok-api-v2-error-handling

The OAuth endpoints speak a third grammar, a flat one; it is in `oauth`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from .grammar import WORLD, Answer, Ask, Handler, Refusal, log_id, reply, verdict
from .ledger import BadToken
from .nouns import Grant, Json

STATUSES: Mapping[str, int] = {
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "scope_permission_missed": 400,
    "rate_limit_exceeded": 429,
    "invalid_params": 400,
    "invalid_param": 400,
    "internal_error": 500,
}
MESSAGES: Mapping[str, str] = {
    "access_token_invalid": "The access token is invalid or not found in the request.",
    "scope_not_authorized": "The user did not authorize the scope required for this request.",
    "rate_limit_exceeded": "The API rate limit was exceeded. Please try again later.",
    "internal_error": "Something went wrong. Please try again later.",
}


def answered(
    request: web.Request, data: Json, *, code: str = "ok", message: str = "", status: int = 200
) -> web.Response:
    verdict(request, code)
    id = log_id(request.app[WORLD])
    body = {"data": data, "error": {"code": code, "message": message, "log_id": id}}
    return reply(body, id=id, status=status)


def refused(
    request: web.Request, code: str, *, message: str | None = None, status: int | None = None
) -> web.Response:
    text = message or MESSAGES.get(code, "The request was refused.")
    return answered(request, {}, code=code, message=text, status=status or STATUSES.get(code, 400))


def answers(answer: Answer) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            given = await _body(request) if request.method == "POST" else dict(request.query)
            data = answer(Ask(request.app[WORLD], request, given))
        except Refusal as no:
            return refused(request, str(no.code), message=no.message, status=no.status)
        return answered(request, data)

    return handle


def get(path: str, answer: Answer) -> web.RouteDef:
    return web.get(path, answers(answer), allow_head=False)


def post(path: str, answer: Answer) -> web.RouteDef:
    return web.post(path, answers(answer))


async def _body(request: web.Request) -> Json:
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise Refusal("invalid_params", "Content-Type must be application/json.", status=400)
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal("invalid_params", "The request body is not a JSON object.", status=400)
    return body


def signed_in(ask: Ask, *any_scope: str) -> Grant:
    """The living grant behind the Bearer token, holding at least one of these scopes."""
    kind, _, token = ask.request.headers.get("Authorization", "").partition(" ")
    try:
        issued = ask.world.ledger.access(token.strip() if kind.lower() == "bearer" else "")
    except BadToken:
        raise no("access_token_invalid") from None
    grant = issued.grant
    if grant.family != "login_kit":
        raise no("access_token_invalid")
    ask.note(app=grant.app_id, subject=grant.subject)
    if any_scope and not set(any_scope) & set(grant.scopes):
        raise no("scope_not_authorized")
    if ask.world.throttled(grant.app_id):
        raise no("rate_limit_exceeded")
    return grant


def no(code: str, message: str | None = None) -> Refusal:
    text = message or MESSAGES.get(code, "The request was refused.")
    return Refusal(code, text, status=STATUSES.get(code, 400))
