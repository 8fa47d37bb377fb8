"""The endpoints of connections: list, get, refresh and disconnect."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from connector.store import ConnectionFilter

from . import audit
from .access import list_scope, visible_scope
from .app_keys import PRINCIPAL, SERVICES
from .families import check_family
from .presenters import connection_detail, connection_summary
from .schemas import (
    ActivityCount,
    ActivityQuery,
    ActivityResponse,
    AttemptList,
    ConnectionDetail,
    ConnectionList,
    ConnectionListQuery,
    DisconnectResponse,
    FamilyInfo,
    FamilyList,
    RefreshResponse,
)

USER_REFRESH_INTERVAL = timedelta(seconds=10)
NO_INTERVAL = timedelta(0)


async def list_connections(request: web.Request, query: ConnectionListQuery) -> ConnectionList:
    """List connections, a page at a time: broken ones first, then the newest.

    `q` is an exact id (of the connection, user, TikTok user or selected advertiser), or the beginning of the
    account's name, in upper or lower case. `totals` counts the connections of the same user and family by
    status, without `status` and `q`; for a server it may be 30 seconds old.
    """
    if query.family is not None:
        check_family(query.family)
    services, scope = request.app[SERVICES], list_scope(request, query.user_id)
    filter = ConnectionFilter(scope.user_id, query.family, query.status, query.q)
    page = await services.connections.list_page(filter, after=query.after, limit=query.limit)
    return ConnectionList(
        connections=[connection_summary(connection) for connection in page.connections],
        next=page.next,
        totals=await services.statistics.totals(scope, family=query.family),
    )


async def get_connection(request: web.Request) -> ConnectionDetail:
    """Get one connection, with its advertisers or its profile."""
    connection = await request.app[SERVICES].connections.get(
        request.match_info["id"], scope=visible_scope(request)
    )
    return connection_detail(connection)


async def refresh_connection(request: web.Request) -> RefreshResponse:
    """Refresh the token now; a token that cannot be refreshed is checked at TikTok instead.

    A user may do this once in ten seconds.
    """
    principal = request[PRINCIPAL]
    connection = await request.app[SERVICES].connections.refresh(
        request.match_info["id"],
        scope=visible_scope(request),
        actor=principal.actor,
        min_interval=USER_REFRESH_INTERVAL if principal.kind == "user" else NO_INTERVAL,
    )
    audit.record(request, "refresh_token", connection_id=connection.id, user_id=connection.user_id)
    return RefreshResponse(**dict(connection_detail(connection)))


async def disconnect(request: web.Request) -> DisconnectResponse:
    """Revoke the token at TikTok and delete it here."""
    connection = await request.app[SERVICES].connections.disconnect(
        request.match_info["id"], scope=visible_scope(request), actor=request[PRINCIPAL].actor
    )
    audit.record(request, "disconnect", connection_id=connection.id, user_id=connection.user_id)
    return DisconnectResponse(connection_id=connection.id, status=connection.status)


async def list_attempts(request: web.Request) -> AttemptList:
    """List the last fifty attempts with TikTok for this connection, newest first."""
    attempts = await request.app[SERVICES].connections.list_attempts(
        request.match_info["id"], scope=visible_scope(request)
    )
    return AttemptList(attempts=attempts)


async def get_activity(request: web.Request, query: ActivityQuery) -> ActivityResponse:
    """Count the attempts of this hour and the 23 hours before, by hour and result; hour 0 is the oldest."""
    activity = await request.app[SERVICES].statistics.activity(list_scope(request, query.user_id))
    return ActivityResponse(
        since=activity.since,
        hours=[ActivityCount(**dict(count)) for count in activity.counts],
    )


async def list_families(request: web.Request) -> FamilyList:
    """List the TikTok API families that can be connected here."""
    return FamilyList(
        families=[
            FamilyInfo(
                name=family.name,
                title=family.display_name,
                scopes=list(family.app.scopes),
                has_advertisers=family.has_advertisers,
            )
            for family in request.app[SERVICES].families.values()
        ]
    )
