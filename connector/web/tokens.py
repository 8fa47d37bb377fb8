"""Returns usable access tokens, to servers only."""

from __future__ import annotations

from aiohttp import web

from connector.tokens import UsableTokens

from . import audit
from .app_keys import PRINCIPAL, SERVICES
from .families import configured_family
from .schemas import AccessTokenResponse, UserTokenQuery


async def read_token(request: web.Request) -> AccessTokenResponse:
    """Get a usable access token of this connection; the token is refreshed first if it expires soon."""
    usable = await request.app[SERVICES].connections.get_token(
        request.match_info["id"], actor=request[PRINCIPAL].actor
    )
    return _response(request, usable)


async def read_user_token(request: web.Request, query: UserTokenQuery) -> AccessTokenResponse:
    """Get a usable access token of the user's newest connection in a family."""
    configured_family(request, query.family)
    usable = await request.app[SERVICES].connections.get_user_token(
        query.user_id, query.family, actor=request[PRINCIPAL].actor
    )
    return _response(request, usable)


def _response(request: web.Request, usable: UsableTokens) -> AccessTokenResponse:
    stored = usable.stored
    audit.record(request, "read_token", connection_id=stored.connection_id, user_id=stored.user_id)
    return AccessTokenResponse(
        access_token=usable.tokens.access.get_secret_value(),
        expires_at=usable.tokens.expires_at,
        scopes=list(stored.scopes),
        family=stored.family,
        connection_id=stored.connection_id,
    )
