"""Connections as they are shown, and what a person may do with theirs."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID

from aiohttp import web

from connector.errors import InvalidRequest, SlowDown
from connector.model import Account, Connection, UserId
from connector.tiktok import FAMILIES

from . import keys
from .access import whose
from .bodies import (
    Attempts,
    Beat,
    ConnectionsWanted,
    Disconnected,
    Families,
    Named,
    PulseTold,
    PulseWanted,
    RefreshedConnection,
    ShownConnection,
    ShownConnections,
    ShownFamily,
    WholeConnection,
)

TITLES = {family.name: family.title for family in FAMILIES}
PAUSE = timedelta(seconds=10)
"""Between two refreshes of a connection that a user asks for."""


async def listed(request: web.Request, query: ConnectionsWanted) -> ShownConnections:
    """List connections, a page at a time: a user's own, or those a server asks for."""
    if query.family is not None and query.family not in TITLES:
        raise InvalidRequest(f"family must be one of {', '.join(TITLES)}.")
    after = None if query.after is None else _as_id(query.after)
    page: list[ShownConnection] = []
    async for connection in request.app[keys.CONNECTIONS].listed(
        of=_scope(request, query.user_id), family=query.family, after=after
    ):
        if len(page) == query.limit:
            return ShownConnections(connections=page, next=page[-1].id)
        page.append(ShownConnection(**_shown(connection)))
    return ShownConnections(connections=page, next=None)


async def one(request: web.Request) -> WholeConnection:
    """Show one connection, with its advertisers or its profile."""
    connections, id = request.app[keys.CONNECTIONS], request.match_info["id"]
    return whole(await connections.get(id, of=_of(request)))


async def refresh(request: web.Request) -> RefreshedConnection:
    """Refresh its token now; where there is no refresh, prove that it works.

    A user may do so once in ten seconds.
    """
    if request[keys.PRINCIPAL].kind == "user":
        await _brake(request)
    connection = await request.app[keys.CONNECTIONS].refresh(
        request.match_info["id"], of=_of(request), who=request[keys.PRINCIPAL].name
    )
    return RefreshedConnection(**dict(whole(connection)))


async def disconnect(request: web.Request) -> Disconnected:
    """Give the grant back to TikTok and forget it here."""
    connection = await request.app[keys.CONNECTIONS].disconnect(
        request.match_info["id"], of=_of(request), who=request[keys.PRINCIPAL].name
    )
    return Disconnected(connection_id=connection.id, status=connection.status)


async def attempts(request: web.Request) -> Attempts:
    """The last fifty things that were tried with TikTok for it, newest first."""
    connections, id = request.app[keys.CONNECTIONS], request.match_info["id"]
    return Attempts(attempts=await connections.attempts(id, of=_of(request)))


async def pulse(request: web.Request, query: PulseWanted) -> PulseTold:
    """What was tried in the last twenty-four hours, by the hour, and how it ended."""
    now = request.app[keys.CLOCK].now()
    hours: Counter[tuple[int, str, str]] = Counter()
    for row in await request.app[keys.CONNECTIONS].pulse(of=_scope(request, query.user_id)):
        # What happens at this very moment is at the end of the last hour.
        hours[min(row.hour, 23), row.what, row.verdict] += row.times
    return PulseTold(
        since=now - timedelta(hours=24),
        until=now,
        hours=[
            Beat(hour=hour, what=what, verdict=verdict, times=times)
            for (hour, what, verdict), times in hours.items()
        ],
    )


async def families(request: web.Request) -> Families:
    """What can be connected here."""
    on = request.app[keys.FAMILIES].values()
    return Families(
        families=[
            ShownFamily(name=family.name, title=family.title, scopes=list(family.app.scopes))
            for family in on
        ]
    )


def named(account: Account | None) -> Named | None:
    return None if account is None else Named(id=account.id, name=account.name)


def whole(connection: Connection) -> WholeConnection:
    advertisers = [
        Named(id=account.id, name=account.name)
        for account in connection.accounts
        if account.kind == "advertiser"
    ]
    return WholeConnection(**_shown(connection), advertisers=advertisers)


def _shown(connection: Connection) -> dict[str, object]:
    profile = next((a for a in connection.accounts if a.kind != "advertiser"), None)
    return {
        **dict(connection),
        "title": TITLES.get(connection.family, connection.family),
        "advertiser": named(connection.chosen),
        "account": named(profile),
        "scopes": list(connection.scopes),
        "next_check_at": connection.due_at,
    }


async def _brake(request: web.Request) -> None:
    """Each refresh costs a call of a quota that all of the app's users share. One that failed, too."""
    connections, id = request.app[keys.CONNECTIONS], request.match_info["id"]
    if (await connections.get(id, of=_of(request))).status not in ("active", "refresh_failing"):
        return  # It will be refused without asking TikTok, and the reason matters more.
    tried = await connections.attempts(id, of=_of(request))
    last = next((attempt.at for attempt in tried if attempt.what != "exchange"), None)
    if last is not None and (left := last + PAUSE - request.app[keys.CLOCK].now()) > timedelta(0):
        raise SlowDown(
            "This connection was refreshed a moment ago.",
            retry_after=min(left, PAUSE).total_seconds(),
        )


def _of(request: web.Request) -> UserId | None:
    return request[keys.PRINCIPAL].user_id


def _scope(request: web.Request, named: UserId | None) -> UserId | None:
    """A server sees everybody's, unless it names a user."""
    principal = request[keys.PRINCIPAL]
    return named if principal.kind == "server" else whose(principal, named)


def _as_id(after: str) -> str:
    try:
        return str(UUID(after))
    except ValueError:
        raise InvalidRequest("after must be what next said on the page before.") from None
