"""The grammar of business-api.tiktok.com.

Every answer is HTTP 200 with an envelope, and only its `code` counts. POST takes JSON and nothing
else; the token comes in `Access-Token` and nowhere else; lists in a query are JSON text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from aiohttp import web

from .grammar import WORLD, Answer, Ask, Handler, Refusal, log_id, reply, verdict
from .ledger import BadToken, CodeFault
from .nouns import App, Family, Issued, Json

ROOT = "/open_api/v1.3/"

CODE_FAULTS: Mapping[CodeFault, tuple[int, str]] = {
    "unknown": (40110, "The auth_code is canceled, used or expired. Ask for authorization again."),
    "used": (40110, "The auth_code is canceled: it was used before. Ask for authorization again."),
    "expired": (40110, "The auth_code is canceled: it has expired. Ask for authorization again."),
    "other_app": (40101, "The app id, the secret and the auth_code do not match."),
    "other_flow": (40115, "The auth_code was issued by another authorization flow."),
    "redirect": (40002, "redirect_uri: Does not match the one the person was sent to."),
    "verifier": (40002, "code_verifier: Does not match the challenge."),
}
MESSAGES: Mapping[int, str] = {
    40001: "No permission to operate the object.",
    40002: "Invalid parameter.",
    40100: "App reaches the QPS limit.",
    40101: "The app id and the secret do not match.",
    40102: "The access token has expired.",
    40103: "The refresh token has expired.",
    40104: "No access token: pass it in the Access-Token request header.",
    40105: "The access token is incorrect or has been revoked.",
    40107: "The refresh token is invalid.",
    40110: CODE_FAULTS["unknown"][1],
    40113: "The app does not exist or is blocked.",
    50000: "System error.",
    51010: "Internal service timed out.",
    60001: "The system is under maintenance.",
}


def envelope(request: web.Request, code: int, message: str, data: Json | None) -> web.Response:
    """On refusal `data` is empty for most codes and absent for those about credentials."""
    verdict(request, "ok" if code == 0 else str(code))
    id = log_id(request.app[WORLD])
    body: Json = {"code": code, "message": message, "request_id": id}
    if data is not None:
        body["data"] = data
    return reply(body, id=id)


def refused(request: web.Request, code: int, message: str | None = None) -> web.Response:
    text = message or MESSAGES.get(code, "The request was refused.")
    return envelope(request, code, text, None if 40100 <= code <= 40120 else {})


def answers(answer: Answer) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            given = await _body(request) if request.method == "POST" else dict(request.query)
            ask = Ask(request.app[WORLD], request, given)
            data = answer(ask)
        except Refusal as no:
            return refused(request, int(no.code), no.message)
        if ask.delay_ms:
            await asyncio.sleep(ask.delay_ms / 1_000)
        return envelope(request, 0, "OK", data)

    return handle


def get(path: str, answer: Answer) -> web.RouteDef:
    return web.get(ROOT + path, answers(answer), allow_head=False)


def post(path: str, answer: Answer) -> web.RouteDef:
    return web.post(ROOT + path, answers(answer))


async def _body(request: web.Request) -> Json:
    if request.content_type != "application/json":
        raise Refusal(40002, "Content-Type: must be application/json.")
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise Refusal(40000, "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(40000, "The request body must be a JSON object.")
    return body


def wanted(ask: Ask, *names: str) -> list[str]:
    values = [ask.text(name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise Refusal(40002, "; ".join(f"{n}: Missing data for required field." for n in missing))
    return values


def client(ask: Ask, *, id: str, secret: str) -> App:
    """The app that asks, once it has shown its secret."""
    app = ask.app(id)
    if app is None:
        raise Refusal(40113, MESSAGES[40113])
    if app.secret != secret:
        raise Refusal(40101, MESSAGES[40101])
    _throttle(ask, app.id)
    return app


def signed_in(ask: Ask, family: Family, *, scope: str | None = None) -> Issued:
    """The token in the header, alive and of this product."""
    token = ask.request.headers.get("Access-Token")
    if not token:
        raise Refusal(40104, MESSAGES[40104])
    issued = held(ask, token)
    grant = issued.grant
    ask.note(app=grant.app_id, subject=grant.subject)
    if grant.family != family:
        raise Refusal(70001, "The token was issued for another product.")
    if scope is not None and scope not in grant.scopes:
        raise Refusal(40131, f"The person did not grant the scope {scope}.")
    _throttle(ask, grant.app_id)
    return issued


def held(ask: Ask, token: str) -> Issued:
    """The token as the business API knows it, wherever in the request it stood."""
    try:
        issued = ask.world.ledger.access(token)
    except BadToken as bad:
        code = 40102 if bad.fault == "expired" else 40105
        raise Refusal(code, MESSAGES[code]) from None
    if issued.grant.family == "login_kit":
        raise Refusal(40105, MESSAGES[40105])
    return issued


def _throttle(ask: Ask, app_id: str) -> None:
    """Counts the call once, though it may show both a token and a secret."""
    counted, ask.counted = ask.counted, True
    if not counted and ask.world.throttled(app_id):
        raise Refusal(40100, MESSAGES[40100])


def json_text(ask: Ask, name: str, kind: type[list[object]] | type[Json]) -> object | None:
    """A list or an object as TikTok takes it in a query: one parameter holding JSON text."""
    text = ask.text(name)
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Refusal(40002, f"{name}: Not valid JSON text of a {kind.__name__}.")
    return value


def texts(ask: Ask, name: str) -> list[str] | None:
    value = json_text(ask, name, list)
    return [str(v) for v in value] if isinstance(value, list) else None


def paged(ask: Ask, rows: list[Json], *, default: int = 10, most: int = 1_000) -> Json:
    page, size = _whole(ask, "page", 1), _whole(ask, "page_size", default)
    if page < 1 or not 1 <= size <= most:
        raise Refusal(40002, f"page_size: Must be between 1 and {most}; page: at least 1.")
    info = {
        "page": page,
        "page_size": size,
        "total_number": len(rows),
        "total_page": -(-len(rows) // size),
    }
    return {"list": rows[(page - 1) * size : page * size], "page_info": info}


def _whole(ask: Ask, name: str, default: int) -> int:
    text = ask.text(name)
    if not text.lstrip("-").isdigit():
        if text:
            raise Refusal(40002, f"{name}: Not a valid integer.")
        return default
    return int(text)
