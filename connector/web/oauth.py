"""The endpoints that start a connection at TikTok's consent page and exchange the authorization code."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from connector.errors import ConnectorError, InvalidRequest
from connector.identity import TICKET_LIFETIME
from connector.model import OAuthState, UserId
from connector.oauth import MAX_STATE_LENGTH, SuccessReply
from connector.tiktok import DEFAULT_FAMILY, FAMILIES, ApiFamily

from . import audit
from .access import authenticate_optional, resolve_user_id
from .app_keys import HTTP_SETTINGS, PRINCIPAL, SERVICES
from .peer import peer_limit_key
from .redirects import check_return_to
from .schemas import (
    ExchangeRequestBody,
    ExchangeResponse,
    ExchangeWithTokenResponse,
    RestartRequest,
    StartRequest,
    StartResponse,
)

REQUIRED_SETTINGS = {
    "app": "TIKTOK_APP_ID and TIKTOK_APP_SECRET",
    "client": "TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET",
}


async def start_connection(request: web.Request, body: StartRequest) -> StartResponse:
    """Create the link to TikTok's consent page, and the state that TikTok returns with the person."""
    return _start(request, body)


async def start_connection_redirect(request: web.Request, query: StartRequest) -> web.Response:
    """Redirect the person to TikTok's consent page."""
    return web.Response(status=302, headers={"Location": _start(request, query).url})


async def restart_connection(request: web.Request, body: RestartRequest) -> StartResponse:
    """Create the link again for a person whom TikTok sent back without a code. The state stays the same."""
    principal = await authenticate_optional(request)
    oauth_state = request.app[SERVICES].oauth_states.verify(body.state, principal)
    family = require_family(request, oauth_state.family)
    url = family.authorize_url(redirect_uri=oauth_state.redirect_uri, state=body.state)
    return StartResponse(url=url, state=body.state)


async def exchange_code(
    request: web.Request, body: ExchangeRequestBody
) -> ExchangeResponse | ExchangeWithTokenResponse:
    """Exchange the code with which TikTok redirected the person back. The state names the user."""
    services = request.app[SERVICES]
    principal = await authenticate_optional(request)
    if not (body.auth_code or body.code):
        raise InvalidRequest("auth_code (or code) is missing.")
    oauth_state = services.oauth_states.verify(body.state, principal)
    family = require_family(request, oauth_state.family)
    actor = principal.actor if principal else "person"
    reply = await services.code_exchange.exchange(
        _code(body, family),
        state=body.state,
        oauth_state=oauth_state,
        actor=actor,
        peer=_limited_peer(request),
    )
    ticket = _selection_ticket(request, oauth_state, reply) if family.has_advertisers else None
    response = ExchangeResponse.model_validate(
        {**reply.model_dump(), "return_to": oauth_state.return_to, "ticket": ticket}
    )
    return await _with_token(request, response, actor=actor)


def _limited_peer(request: web.Request) -> str | None:
    """A server posts the codes of many people from one address."""
    principal = request.get(PRINCIPAL)
    return None if principal and principal.kind == "server" else peer_limit_key(request)


def require_family(request: web.Request, name: str) -> ApiFamily:
    configured = request.app[SERVICES].families
    if name in configured:
        return configured[name]
    for family in FAMILIES:
        if family.name == name:
            settings = REQUIRED_SETTINGS[family.credentials]
            raise InvalidRequest(f"family {name} is not configured: it needs {settings}.")
    raise InvalidRequest(f"family must be one of {', '.join(family.name for family in FAMILIES)}.")


def _start(request: web.Request, start: StartRequest) -> StartResponse:
    settings = request.app[HTTP_SETTINGS]
    user_id = resolve_user_id(request[PRINCIPAL], start.user_id)
    family = require_family(request, start.family or DEFAULT_FAMILY)
    redirect_uri = start.redirect_uri or settings.redirect_uris[0]
    if redirect_uri not in settings.redirect_uris:
        raise InvalidRequest("redirect_uri must be exactly one of TIKTOK_REDIRECT_URI.")
    check_return_to(start.return_to, settings)
    state = _issue_state(
        request,
        user_id,
        family=family.name,
        redirect_uri=redirect_uri,
        return_to=start.return_to,
    )
    return StartResponse(
        url=family.authorize_url(redirect_uri=redirect_uri, state=state), state=state
    )


def _issue_state(
    request: web.Request,
    user_id: UserId,
    *,
    family: str,
    redirect_uri: str,
    return_to: str | None,
) -> str:
    state = request.app[SERVICES].oauth_states.issue(
        user_id, family=family, redirect_uri=redirect_uri, return_to=return_to
    )
    if len(state) > MAX_STATE_LENGTH:
        raise InvalidRequest("return_to is too long for the state.")
    return state


def _code(body: ExchangeRequestBody, family: ApiFamily) -> str:
    """Prefers the family's own parameter: a callback may contain both, with different values."""
    if family.code_parameter == "auth_code":
        return body.auth_code or body.code or ""
    return body.code or body.auth_code or ""


def _selection_ticket(request: web.Request, oauth_state: OAuthState, reply: SuccessReply) -> str:
    services = request.app[SERVICES]
    ticket = services.authenticator.tickets.issue(
        oauth_state.user_id,
        connection_id=reply.connection_id,
        lifetime=_selection_ticket_lifetime(oauth_state, services.clock.now()),
    )
    return ticket.text


def _selection_ticket_lifetime(oauth_state: OAuthState, now: datetime) -> timedelta:
    """Returns 30 to 60 minutes: the ticket expires a whole number of ticket lifetimes after the state.

    POSTs of one code in the same 30 minutes of the state's age therefore return the same ticket.
    """
    age = max(now - oauth_state.issued_at, timedelta(0))
    return (age // TICKET_LIFETIME + 2) * TICKET_LIFETIME - (now - oauth_state.issued_at)


async def _with_token(
    request: web.Request, response: ExchangeResponse, *, actor: str
) -> ExchangeResponse:
    if not request.app[HTTP_SETTINGS].return_access_token:
        return response
    connections = request.app[SERVICES].connections
    try:
        usable = await connections.get_token(response.connection_id, actor=actor)
    except ConnectorError:
        return response  # The request succeeded: the account is connected.
    audit.record(
        request,
        "read_token",
        connection_id=usable.stored.connection_id,
        user_id=usable.stored.user_id,
    )
    access_token = usable.tokens.access.get_secret_value()
    return ExchangeWithTokenResponse(**dict(response), access_token=access_token)
