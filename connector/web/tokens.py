"""Working access tokens: for servers alone, and nowhere kept."""

from __future__ import annotations

from aiohttp import web

from connector.keeper import Working

from . import keys
from .bodies import TokenWanted, WorkingToken
from .exchange import known_family


async def of_connection(request: web.Request) -> WorkingToken:
    """A working access token of this connection, refreshed if need be."""
    return _told(
        await request.app[keys.CONNECTIONS].token(
            request.match_info["id"], who=request[keys.PRINCIPAL].name
        )
    )


async def of_user(request: web.Request, query: TokenWanted) -> WorkingToken:
    """A working access token of the user's connection in a family, the newest if there are several."""
    known_family(request, query.family)
    return _told(
        await request.app[keys.CONNECTIONS].token_of(
            query.user_id, query.family, who=request[keys.PRINCIPAL].name
        )
    )


def _told(working: Working) -> WorkingToken:
    kept = working.kept
    return WorkingToken(
        access_token=working.tokens.access.get_secret_value(),
        expires_at=working.tokens.expires_at,
        scopes=list(kept.scopes),
        family=kept.family,
        connection_id=kept.id,
    )
