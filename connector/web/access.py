"""Decides if a caller may call a route. A route without an access rule refuses every request.

Credentials are read on routes that are not public, and by the exchange, which uses them if they are sent.
A header has precedence over the session cookie. The cookie is accepted for safe methods. For other
methods the cookie is accepted only if the request comes from a page of this service. Addresses that return
tokens accept no cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from connector.connections import Scope
from connector.errors import (
    CredentialsExpired,
    Forbidden,
    InternalError,
    InvalidRequest,
    Unauthenticated,
)
from connector.identity import is_public_project_key
from connector.model import KeyScope, Principal, UserId
from connector.origins import origin_of

from .app_keys import CLEAR_SESSION_COOKIE, HTTP_SETTINGS, PRINCIPAL, SERVICES
from .peer import peer_limit_key
from .session_cookie import read_session_cookie

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Access(Enum):
    PUBLIC = "public"
    """Every caller, without credentials."""

    SELECTION = "selection"
    """A user, a server, or a selection ticket for its own connection."""

    USER = "user"
    """A user for themselves, or a server for any user."""

    SERVER = "server"
    """A server with an API key."""


@dataclass(frozen=True)
class AccessRule:
    level: Access
    scope: KeyScope | None
    """The scope that an API key needs. A public route needs no key, but a key that is sent needs the scope.
    None is only possible on a public route."""


ACCESS_RULES: web.AppKey[dict[web.AbstractRoute, AccessRule]] = web.AppKey("access_rules")


async def authorize(request: web.Request) -> None:
    route = request.match_info.route
    if route.resource is None:
        return  # No such route: the router's own handler responds with 404 or 405.
    rule = request.app[ACCESS_RULES].get(route)
    if rule is None:
        raise InternalError("This route has no access rule.")
    if rule.level is Access.PUBLIC:
        return
    if rule.scope == "tokens" and not has_credentials(request):
        raise Unauthenticated(
            "Send an API key in the Authorization or X-API-Key header. A session cookie is not accepted "
            "here."
        )
    principal = await authenticate(request)
    if principal is None:
        raise Unauthenticated(
            "Authenticate with the Authorization header: Bearer, and an API key, a signed-in user's "
            "token or a ticket."
        )
    if principal.selection_for is not None and rule.level is not Access.SELECTION:
        raise selection_ticket_error()
    if rule.level is Access.SERVER and principal.kind != "server":
        raise Forbidden("Only a server with an API key may do this.")
    _require_scope(principal, rule)
    request[PRINCIPAL] = principal


async def authenticate(request: web.Request) -> Principal | None:
    if has_credentials(request):
        return await _authenticate_headers(request)
    cookie = read_session_cookie(request)
    if not cookie:
        return None
    try:
        principal = await request.app[SERVICES].sessions.verify(cookie)
    except Unauthenticated:
        request[CLEAR_SESSION_COOKIE] = True
        return None
    if request.method not in SAFE_METHODS and not _is_same_origin(request):
        raise Forbidden(
            "Only a page of this service may send this request with a session cookie. Other pages "
            "must send an Authorization header."
        )
    return principal


async def _authenticate_headers(request: web.Request) -> Principal | None:
    services = request.app[SERVICES]
    authorization = request.headers.get("Authorization")
    api_key = request.headers.get("X-API-Key")
    try:
        return await services.authenticator.authenticate(authorization, api_key)
    except CredentialsExpired:
        raise
    except Unauthenticated:
        credential = api_key or (authorization or "").partition(" ")[2]
        services.credential_limiter.record_failure(credential, peer=peer_limit_key(request))
        raise


async def authenticate_optional(request: web.Request) -> Principal | None:
    """For a public route.

    Two kinds of credentials are ignored: a session cookie that a page of another origin caused the
    browser to send, and the project's public key, which supabase-js sends while no user is signed in.
    """
    headers = request.headers
    if not headers.get("X-API-Key") and is_public_project_key(headers.get("Authorization")):
        return None
    try:
        principal = await authenticate(request)
    except Forbidden:
        return None
    if principal is not None and principal.selection_for is not None:
        raise selection_ticket_error()
    if principal is not None:
        _require_scope(principal, request.app[ACCESS_RULES][request.match_info.route])
        request[PRINCIPAL] = principal
    return principal


def resolve_user_id(principal: Principal, requested: UserId | None) -> UserId:
    """Returns the user of the operation: the caller, or the user that a server names."""
    if principal.user_id is None:
        if requested is None:
            raise InvalidRequest("user_id is missing: a server must name the user.")
        return requested
    if requested not in (None, principal.user_id):
        raise Forbidden("Only a server may act for another user.")
    return principal.user_id


def visible_scope(request: web.Request) -> Scope:
    """Returns the connections that the caller may use: all for a server, else the user's own."""
    user_id = request[PRINCIPAL].user_id
    return Scope.everyone() if user_id is None else Scope.user(user_id)


def list_scope(request: web.Request, requested: UserId | None) -> Scope:
    """Returns the connections to list: `visible_scope`, unless the caller names a user."""
    principal = request[PRINCIPAL]
    if principal.kind == "server" and requested is None:
        return Scope.everyone()
    return Scope.user(resolve_user_id(principal, requested))


def selection_ticket_error() -> Forbidden:
    return Forbidden("This ticket can only select the ad account of its connection.")


def has_credentials(request: web.Request) -> bool:
    return bool(request.headers.get("Authorization") or request.headers.get("X-API-Key"))


def _require_scope(principal: Principal, rule: AccessRule) -> None:
    if principal.kind == "server" and rule.scope not in principal.scopes:
        raise Forbidden(
            f"This API key ({principal.actor}) lacks the scope {rule.scope}, which this address needs."
        )


def _is_same_origin(request: web.Request) -> bool:
    if request.headers.get("Sec-Fetch-Site") in ("same-origin", "none"):
        return True
    own_origin = origin_of(request.app[HTTP_SETTINGS].public_url)
    return own_origin is not None and request.headers.get("Origin") == own_origin
