"""The ad accounts a person let us into, and which of them counts."""

from __future__ import annotations

from aiohttp import web

from connector.errors import Forbidden
from connector.model import UserId

from . import keys
from .access import whose
from .bodies import Advertisers, AdvertisersWanted, ChoiceGiven, Chosen, Selectable
from .connections import named


async def listed(request: web.Request, query: AdvertisersWanted) -> Advertisers:
    """List the ad accounts of a connection: the one named, else the newest."""
    of, id = await _meant(request, query.user_id, query.connection_id)
    connection = await request.app[keys.CONNECTIONS].advertisers(of=of, id=id)
    chosen, lost = connection.chosen, connection.advertiser_lost
    return Advertisers(
        advertisers=[
            Selectable(
                id=each.id,
                name=each.name,
                selected=chosen is not None and each.id == chosen.id,
            )
            for each in connection.accounts
        ],
        connection_id=connection.id,
        selected_lost=named(chosen) if lost else None,
    )


async def select(request: web.Request, body: ChoiceGiven) -> Chosen:
    """Choose the ad account that user_accounts names."""
    of, id = await _meant(request, body.user_id, body.connection_id)
    connections = request.app[keys.CONNECTIONS]
    connection, chosen = await connections.choose(body.advertiser_id, of=of, id=id)
    return Chosen(
        business_id=chosen.id,
        account_id=chosen.name,
        message="TikTok ad account selected",
        connection_id=connection.id,
    )


async def _meant(
    request: web.Request, user_id: UserId | None, connection_id: str | None
) -> tuple[UserId, str | None]:
    """Whose, and which connection: a picker's own, or one that also says whose it is."""
    principal = request[keys.PRINCIPAL]
    if principal.connection_id is not None:
        if connection_id not in (None, principal.connection_id):
            raise Forbidden("This ticket is good for another connection.")
        return whose(principal, user_id), principal.connection_id
    if principal.kind == "server" and user_id is None and connection_id is not None:
        connection = await request.app[keys.CONNECTIONS].get(connection_id, of=None)
        return connection.user_id, connection.id
    return whose(principal, user_id), connection_id
