"""Who may: a gate by address, closed by default.

An address stands in one of three lists, and one that stands in none is refused to everybody. A picker
passes only where it is named. Credentials are read where they matter: at a gate that is not public,
and in the exchange, which uses them if they are given. A header outweighs the cookie; the cookie
counts for what only reads, and for the rest when the request comes from a page of our own.
"""

from __future__ import annotations

from aiohttp import web

from connector.errors import Broken, Forbidden, InvalidRequest, Unauthenticated
from connector.identity import is_everybodys
from connector.model import Principal, UserId

from . import keys
from .origins import origin

COOKIE = "connector_session"
READING = ("GET", "HEAD", "OPTIONS")

PUBLIC = frozenset(
    {
        "/",
        "/connect",
        "/docs",
        "/families",
        "/healthz",
        "/oauth/callback",
        "/oauth/exchange",
        "/tiktok/oauth/exchange",
        "/api/tiktok/oauth/exchange",
        "/openapi.json",
        "/readyz",
        "/static/{file}",
        "/status",
    }
)
USER = frozenset(
    {
        "/advertisers",
        "/advertisers/select",
        "/connections",
        "/connections/{id}",
        "/connections/{id}/attempts",
        "/connections/{id}/refresh",
        "/oauth/start",
        "/pulse",
        "/session",
    }
)
"""A server may do all of this, too."""

SERVER = frozenset({"/connections/{id}/token", "/metrics", "/tickets", "/token"})
PICKER = frozenset({"/advertisers", "/advertisers/select", "/session"})


async def admit(request: web.Request) -> None:
    resource = request.match_info.route.resource
    if resource is None:
        return  # There is nothing at this address; the router says so.
    address = resource.canonical
    if address in PUBLIC:
        return
    if address not in USER and address not in SERVER:
        raise Broken("Nobody was let in at this address yet.")
    principal = await identify(request)
    if principal is None:
        raise Unauthenticated(
            "Say who you are: Authorization: Bearer, with an API key, a signed-in user's token or a "
            "ticket."
        )
    if principal.connection_id is not None and address not in PICKER:
        raise Forbidden("This ticket is good for picking the ad account only.")
    if address in SERVER and principal.kind != "server":
        raise Forbidden("Only a server may do this: one that has an API key.")
    request[keys.PRINCIPAL] = principal


async def identify(request: web.Request) -> Principal | None:
    identity = request.app[keys.IDENTITY]
    headers = request.headers
    authorization, api_key = headers.get("Authorization"), headers.get("X-API-Key")
    if authorization or api_key:
        return await identity.principal(authorization, api_key)
    cookie = request.cookies.get(COOKIE) if "Cookie" in headers else None
    if not cookie:
        return None
    try:
        principal = identity.session(cookie)
    except Unauthenticated:
        request[keys.STALE_COOKIE] = True
        return None
    if request.method not in READING and not _from_our_own_page(request):
        raise Forbidden(
            "A session counts for this only from a page of this service. From elsewhere, send an "
            "Authorization header."
        )
    return principal


async def identify_if_they_like(request: web.Request) -> Principal | None:
    """For a public address. A cookie that another site's page made the browser send is nobody's, and
    so is the key that supabase-js sends for want of a signed-in user."""
    headers = request.headers
    if not headers.get("X-API-Key") and is_everybodys(headers.get("Authorization")):
        return None
    try:
        principal = await identify(request)
    except Forbidden:
        return None
    if principal is not None and principal.connection_id is not None:
        raise Forbidden("This ticket is good for picking the ad account only.")
    if principal is not None:
        request[keys.PRINCIPAL] = principal
    return principal


def whose(principal: Principal, named: UserId | None) -> UserId:
    """The user an operation is for: oneself, or the one that a server names."""
    if principal.user_id is None:
        if named is None:
            raise InvalidRequest("user_id is missing: a server says for whom.")
        return named
    if named not in (None, principal.user_id):
        raise Forbidden("Only a server may act for another user.")
    return principal.user_id


def _from_our_own_page(request: web.Request) -> bool:
    if request.headers.get("Sec-Fetch-Site") in ("same-origin", "none"):
        return True
    ours = origin(request.app[keys.OPTIONS].public_url)
    return ours is not None and request.headers.get("Origin") == ours
