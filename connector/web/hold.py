"""`connector serve --hold`: reads work, and every request that could use a code or a token is refused."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from connector.errors import OnHold

ALLOWED_CHANGES = {"/session", "/tickets"}
"""To sign in. Neither uses a token."""

CONSENT_PATH = "/oauth/start"
"""The code of this consent could not be exchanged before it expires."""


@web.middleware
async def hold_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    resource = request.match_info.route.resource
    path = resource.canonical if resource else None
    is_read = request.method in ("GET", "HEAD") and path != CONSENT_PATH
    if path is not None and not is_read and path not in ALLOWED_CHANGES:
        raise OnHold
    return await handler(request)
