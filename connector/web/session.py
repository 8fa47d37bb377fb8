"""The session of a browser: credentials become a cookie, and the cookie can be deleted."""

from __future__ import annotations

from aiohttp import web

from connector.errors import Unauthenticated
from connector.model import Principal

from .access import has_credentials, selection_ticket_error
from .app_keys import HTTP_SETTINGS, PRINCIPAL, SERVICES
from .route import json_response
from .session_cookie import delete_session_cookie, read_session_cookie, set_session_cookie
from .session_schemas import SessionEndedResponse, SessionOwner, SessionResponse


async def get_session(request: web.Request) -> SessionResponse:
    """Get the authenticated user or server.

    If the request has credentials in a header and the cookie of a session, the response describes both.
    """
    session = _session(request)
    cookie = read_session_cookie(request)
    if not cookie or not has_credentials(request):
        return session
    try:
        principal = await request.app[SERVICES].sessions.verify(cookie)
    except Unauthenticated:
        return session
    return session.model_copy(update={"signed_in_as": _owner(principal)})


async def create_session(request: web.Request) -> SessionResponse | web.Response:
    """Exchange the credentials in the Authorization header for a session cookie."""
    principal = request[PRINCIPAL]
    if principal.selection_for is not None:
        raise selection_ticket_error()
    # A session cookie is refused, because a session could otherwise prolong itself.
    if not has_credentials(request):
        raise Unauthenticated("Send a ticket, a user's token or an API key to create a session.")
    services = request.app[SERVICES]
    ticket = services.sessions.create(principal)
    response = json_response(_session(request).model_copy(update={"expires_at": ticket.expires_at}))
    max_age = max(0, int((ticket.expires_at - services.clock.now()).total_seconds()))
    set_session_cookie(response, request, ticket.text, max_age=max_age)
    return response


async def delete_session(request: web.Request) -> SessionEndedResponse | web.Response:
    """End the session: the cookie and every copy of it stop working."""
    cookie = read_session_cookie(request)
    if cookie and not has_credentials(request):
        await request.app[SERVICES].sessions.end(cookie)
    response = json_response(SessionEndedResponse())
    delete_session_cookie(response, request)
    return response


def _session(request: web.Request) -> SessionResponse:
    principal = request[PRINCIPAL]
    return SessionResponse(
        **dict(_owner(principal)),
        expires_at=principal.expires_at,
        demo=request.app[HTTP_SETTINGS].demo,
        scopes=sorted(principal.scopes) if principal.kind == "server" else None,
    )


def _owner(principal: Principal) -> SessionOwner:
    return SessionOwner(
        kind="selection" if principal.selection_for is not None else principal.kind,
        user_id=principal.user_id,
        display_name=principal.display_name,
    )
