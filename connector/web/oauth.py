"""The routes that start a connection at TikTok's consent page and exchange the authorization code."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from connector.errors import ConnectorError, InvalidRequest, Unauthenticated
from connector.identity import TICKET_LIFETIME
from connector.model import OAuthState, Principal
from connector.oauth import MAX_STATE_LENGTH, SuccessReply
from connector.tiktok import DEFAULT_FAMILY, ApiFamily

from . import audit
from .access import authenticate_optional, resolve_user_id
from .app_keys import HTTP_SETTINGS, PRINCIPAL, SERVICES
from .browser_binding import BrowserBinding, check_binding, new_binding, set_binding_cookie
from .families import configured_family
from .peer import peer_limit_key
from .redirects import check_return_to
from .route import json_response
from .schemas import (
    ExchangeRequestBody,
    ExchangeResponse,
    ExchangeWithTokenResponse,
    RestartRequest,
    StartRequest,
    StartResponse,
    StateDescription,
    StateRequest,
)


async def start_connection(
    request: web.Request, body: StartRequest
) -> StartResponse | web.Response:
    """Create the link to TikTok's consent page, and the state that TikTok returns with the person.

    If a user starts for the callback page of this service, the response sets a cookie. The state can be
    exchanged only with this cookie.
    """
    started, binding = _start(request, body)
    response = json_response(started)
    set_binding_cookie(request, response, binding)
    return response


async def start_connection_redirect(request: web.Request, query: StartRequest) -> web.Response:
    """Redirect the person to TikTok's consent page."""
    started, binding = _start(request, query)
    response = web.Response(status=302, headers={"Location": started.url})
    set_binding_cookie(request, response, binding)
    return response


async def describe_state(request: web.Request, body: StateRequest) -> StateDescription:
    """Verify a state without an exchange. If `confirmation_required`, ask the person first."""
    principal = await authenticate_optional(request)
    oauth_state = _verify_state(request, body.state, principal)
    configured_family(request, oauth_state.family)
    return StateDescription(
        user_id=oauth_state.user_id,
        family=oauth_state.family,
        confirmation_required=oauth_state.browser_hash is None,
    )


async def restart_connection(request: web.Request, body: RestartRequest) -> StartResponse:
    """Create the link again for a person whom TikTok sent back without a code. The state stays the same."""
    principal = await authenticate_optional(request)
    oauth_state = request.app[SERVICES].oauth_states.verify(body.state, principal)
    family = configured_family(request, oauth_state.family)
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
    oauth_state = _verify_state(request, body.state, principal)
    family = configured_family(request, oauth_state.family)
    actor = audit.actor(request)
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
    """Returns None for a server, because it posts the codes of many people from one address."""
    principal = request.get(PRINCIPAL)
    return None if principal and principal.kind == "server" else peer_limit_key(request)


def _verify_state(request: web.Request, state: str, principal: Principal | None) -> OAuthState:
    oauth_state = request.app[SERVICES].oauth_states.verify(state, principal)
    check_binding(request, oauth_state)
    is_bound = oauth_state.browser_hash is not None
    if request.app[HTTP_SETTINGS].require_user and principal is None and not is_bound:
        raise Unauthenticated(
            "This service connects an account only for a signed-in user: send the Authorization header: "
            "Bearer, and the user's token or a ticket."
        )
    return oauth_state


def _start(
    request: web.Request, start: StartRequest
) -> tuple[StartResponse, BrowserBinding | None]:
    settings = request.app[HTTP_SETTINGS]
    user_id = resolve_user_id(request[PRINCIPAL], start.user_id)
    family = configured_family(request, start.family or DEFAULT_FAMILY)
    redirect_uri = start.redirect_uri or settings.redirect_uris[0]
    if redirect_uri not in settings.redirect_uris:
        raise InvalidRequest("redirect_uri must be exactly one of TIKTOK_REDIRECT_URI.")
    check_return_to(start.return_to, settings)
    binding = new_binding(request, redirect_uri=redirect_uri)
    state = request.app[SERVICES].oauth_states.issue(
        user_id,
        family=family.name,
        redirect_uri=redirect_uri,
        return_to=start.return_to,
        browser_hash=binding.browser_hash if binding else None,
    )
    if len(state) > MAX_STATE_LENGTH:
        raise InvalidRequest("return_to is too long for the state.")
    url = family.authorize_url(redirect_uri=redirect_uri, state=state)
    return StartResponse(url=url, state=state), binding


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
