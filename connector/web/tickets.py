"""Tickets for people without a login, and the session a browser keeps."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from connector.errors import Forbidden, Unauthenticated

from . import keys
from .access import COOKIE
from .bodies import MintedTicket, SessionEnded, SessionTold, TicketGiven
from .endpoint import answered
from .origins import check_return_to


async def mint(request: web.Request, body: TicketGiven) -> MintedTicket:
    """Make a link that lets one person connect, for half an hour.

    The ticket travels behind the # of the link, which no server and no log ever sees.
    """
    options = request.app[keys.OPTIONS]
    check_return_to(body.return_to, options)
    ticket = request.app[keys.IDENTITY].mint(body.user_id)
    url = f"{options.public_url}/connect#ticket={ticket.text}"
    if body.return_to is not None:
        url += f"&return_to={quote(body.return_to, safe='')}"
    return MintedTicket(ticket=ticket.text, url=url, expires_at=ticket.expires_at)


async def session(request: web.Request) -> SessionTold:
    """Who is asking."""
    return _told(request)


async def begin_session(request: web.Request) -> SessionTold | web.Response:
    """Trade what the Authorization header shows for a cookie."""
    principal = request[keys.PRINCIPAL]
    if principal.connection_id is not None:
        raise Forbidden("This ticket is good for picking the ad account only.")
    if not (request.headers.get("Authorization") or request.headers.get("X-API-Key")):
        raise Unauthenticated("Show a ticket, a user's token or an API key to begin a session.")
    ticket = request.app[keys.IDENTITY].mint_session(principal)
    answer = answered(_told(request).model_copy(update={"expires_at": ticket.expires_at}))
    answer.set_cookie(
        COOKIE,
        ticket.text,
        max_age=int((ticket.expires_at - request.app[keys.CLOCK].now()).total_seconds()),
        path="/",
        secure=request.app[keys.OPTIONS].public_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )
    return answer


async def end_session(request: web.Request) -> SessionEnded | web.Response:
    """Forget the cookie."""
    answer = answered(SessionEnded())
    answer.del_cookie(COOKIE, path="/")
    return answer


def _told(request: web.Request) -> SessionTold:
    principal = request[keys.PRINCIPAL]
    return SessionTold(
        kind="picker" if principal.connection_id is not None else principal.kind,
        user_id=principal.user_id,
        expires_at=principal.expires_at,
        demo=request.app[keys.OPTIONS].demo,
    )
