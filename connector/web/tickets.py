"""Creates connect links for people without a login."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from . import audit
from .app_keys import HTTP_SETTINGS, PRINCIPAL, SERVICES
from .redirects import check_return_to
from .session_schemas import CreateTicketRequest, TicketResponse


async def create_ticket(request: web.Request, body: CreateTicketRequest) -> TicketResponse:
    """Create a link with which one person can connect, valid for 30 minutes.

    The link stops working if the API key that asked for it is withdrawn or gets other scopes. The ticket is in the fragment of the link, which browsers never send to a server.
    The page first shows the person for whom the link is, and asks before it signs the browser in.
    """
    settings = request.app[HTTP_SETTINGS]
    check_return_to(body.return_to, settings)
    ticket = request.app[SERVICES].authenticator.tickets.issue(
        body.user_id, api_key=request[PRINCIPAL].api_key, display_name=body.display_name
    )
    audit.record(request, "create_ticket", user_id=body.user_id)
    url = f"{settings.public_url}/connect#ticket={ticket.text}"
    if body.return_to is not None:
        url += f"&return_to={quote(body.return_to, safe='')}"
    return TicketResponse(ticket=ticket.text, url=url, expires_at=ticket.expires_at)
