"""The way to TikTok's consent page, and back with a code."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from connector.errors import ConnectorError, InvalidRequest
from connector.intent import LONGEST as LONGEST_STATE
from connector.model import Intent, UserId
from connector.store import Answer
from connector.tickets import TICKET_LIFE
from connector.tiktok import FAMILIES, Family

from . import keys
from .access import identify_if_they_like, whose
from .bodies import CodeGiven, Exchanged, ExchangedWithToken, Started, StartGiven
from .origins import check_return_to

NEEDED = {
    "marketing": "TIKTOK_APP_ID and TIKTOK_APP_SECRET",
    "accounts": "TIKTOK_APP_ID and TIKTOK_APP_SECRET",
    "login_kit": "TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET",
}


async def start(request: web.Request, body: StartGiven) -> Started:
    """Make the link to TikTok's consent page, and the state that comes back with the person."""
    return _started(request, body)


async def go(request: web.Request, query: StartGiven) -> web.Response:
    """Send the person on to TikTok's consent page."""
    return web.Response(status=302, headers={"Location": _started(request, query).url})


async def exchange(request: web.Request, body: CodeGiven) -> Exchanged | ExchangedWithToken:
    """Exchange the code TikTok sent the person back with. The state says whose it is."""
    principal = await identify_if_they_like(request)
    if not (body.auth_code or body.code):
        raise InvalidRequest("auth_code (or code) is missing.")
    intent = request.app[keys.INTENTS].read(body.state, principal)
    who = principal.name if principal else "person"
    answer = await request.app[keys.EXCHANGE].exchange(
        _code(request, body, intent), state=body.state, intent=intent, who=who
    )
    told = _exchanged(request, intent, answer)
    return await _with_token(request, told, who=who)


def known_family(request: web.Request, name: str) -> Family:
    """One that is switched on here; else what the operator, or the caller, has to change."""
    families = request.app[keys.FAMILIES]
    if name in families:
        return families[name]
    if name in NEEDED:
        raise InvalidRequest(f"family {name} is not switched on here: it needs {NEEDED[name]}.")
    raise InvalidRequest(f"family must be one of {', '.join(f.name for f in FAMILIES)}.")


def _started(request: web.Request, given: StartGiven) -> Started:
    options = request.app[keys.OPTIONS]
    user_id = whose(request[keys.PRINCIPAL], given.user_id)
    family = known_family(request, given.family or "marketing")
    redirect_uri = given.redirect_uri or options.redirect_uris[0]
    if redirect_uri not in options.redirect_uris:
        raise InvalidRequest("redirect_uri must be one of TIKTOK_REDIRECT_URI, to the letter.")
    check_return_to(given.return_to, options)
    state = _state(request, user_id, family.name, redirect_uri, given.return_to)
    return Started(url=family.authorize_url(redirect_uri=redirect_uri, state=state), state=state)


def _state(
    request: web.Request, user_id: UserId, family: str, redirect_uri: str, return_to: str | None
) -> str:
    state = request.app[keys.INTENTS].issue(
        user_id, family=family, redirect_uri=redirect_uri, return_to=return_to
    )
    if len(state) > LONGEST_STATE:
        raise InvalidRequest("return_to is too long to travel in the state.")
    return state


def _code(request: web.Request, body: CodeGiven, intent: Intent) -> str:
    """By the family's own name for it first: a callback may carry both, and they may differ."""
    family = known_family(request, intent.family)
    named = {"auth_code": body.auth_code, "code": body.code}
    return named.pop(family.code_parameter) or named.popitem()[1] or ""


def _exchanged(request: web.Request, intent: Intent, answer: Answer) -> Exchanged:
    ticket = None
    if intent.family == "marketing":
        life = _picking(intent, request.app[keys.CLOCK].now())
        identity = request.app[keys.IDENTITY]
        ticket = identity.mint(
            intent.user_id, connection_id=answer["connection_id"], life=life
        ).text
    return Exchanged.model_validate({**answer, "return_to": intent.return_to, "ticket": ticket})


def _picking(intent: Intent, now: datetime) -> timedelta:
    """Half an hour at least, and up to a whole hour after the state: so that whoever posts the
    same again gets the same ticket, too, and all answers are equal."""
    age = max(now - intent.issued_at, timedelta(0))
    return (age // TICKET_LIFE + 2) * TICKET_LIFE - (now - intent.issued_at)


async def _with_token(request: web.Request, told: Exchanged, *, who: str) -> Exchanged:
    if not request.app[keys.OPTIONS].return_access_token:
        return told
    try:
        working = await request.app[keys.CONNECTIONS].token(told.connection_id, who=who)
    except ConnectorError:
        return told  # They are connected all the same: it is the connection that was asked for.
    access_token = working.tokens.access.get_secret_value()
    return ExchangedWithToken(**dict(told), access_token=access_token)
