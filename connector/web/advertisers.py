"""Lists the ad accounts of a connection, and selects one of them."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from connector.connections import Scope
from connector.errors import Forbidden
from connector.model import UserId

from . import audit
from .access import resolve_user_id
from .app_keys import PRINCIPAL, SERVICES
from .presenters import named_item
from .schemas import (
    AdvertiserList,
    AdvertiserListQuery,
    SelectableAdvertiser,
    SelectAdvertiserRequest,
    SelectionResponse,
)


@dataclass(frozen=True)
class _Target:
    """The user, and the connection if the request names one."""

    user_id: UserId
    connection_id: str | None


async def list_advertisers(request: web.Request, query: AdvertiserListQuery) -> AdvertiserList:
    """List the ad accounts of the given connection, or of the user's newest one."""
    target = await _resolve_target(request, query.user_id, query.connection_id)
    connection = await request.app[SERVICES].connections.find_advertiser_connection(
        user_id=target.user_id, connection_id=target.connection_id
    )
    selected = connection.selected_advertiser
    return AdvertiserList(
        advertisers=[
            SelectableAdvertiser(
                id=account.id,
                name=account.name,
                selected=selected is not None and account.id == selected.id,
            )
            for account in connection.accounts
        ],
        connection_id=connection.id,
        lost_advertiser=named_item(selected) if connection.advertiser_lost else None,
    )


async def select_advertiser(
    request: web.Request, body: SelectAdvertiserRequest
) -> SelectionResponse:
    """Select an ad account, and write it to user_accounts."""
    target = await _resolve_target(request, body.user_id, body.connection_id)
    selection = await request.app[SERVICES].connections.select_advertiser(
        body.advertiser_id, user_id=target.user_id, connection_id=target.connection_id
    )
    audit.record(
        request,
        "select_advertiser",
        connection_id=selection.connection_id,
        user_id=target.user_id,
    )
    return SelectionResponse(
        business_id=selection.advertiser.id,
        account_id=selection.advertiser.name,
        message="TikTok ad account selected",
        connection_id=selection.connection_id,
    )


async def _resolve_target(
    request: web.Request, user_id: UserId | None, connection_id: str | None
) -> _Target:
    """A server may name only the connection, because the connection has only one user."""
    principal = request[PRINCIPAL]
    if principal.selection_for is not None:
        if connection_id not in (None, principal.selection_for):
            raise Forbidden("This ticket is for another connection.")
        return _Target(resolve_user_id(principal, user_id), principal.selection_for)
    if principal.kind == "server" and user_id is None and connection_id is not None:
        connection = await request.app[SERVICES].connections.get(
            connection_id, scope=Scope.everyone()
        )
        return _Target(connection.user_id, connection.id)
    return _Target(resolve_user_id(principal, user_id), connection_id)
