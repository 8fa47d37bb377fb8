"""Lists of connections for people: filters, search and pages.

All lists have one order: broken connections first, then the newest. A page starts after a position in
this order, not after a number of rows, so that changes between two pages move no other connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from connector.model import UUID_PATTERN, Connection, ConnectionStatus, UserId

from .operations import Operations, parse_rows
from .records import ConnectionCount

SEVERITIES: dict[ConnectionStatus, int] = {
    "reconnect_required": 3,
    "refresh_failing": 2,
    "active": 1,
    "revoked": 0,
}
"""The rank of each status in a list. The column `severity` of the tables has the same numbers."""


@dataclass(frozen=True)
class ConnectionFilter:
    user_id: UserId | None = None
    family: str | None = None
    status: ConnectionStatus | None = None
    query: str | None = None
    """An exact id (of the connection, user, TikTok user or selected advertiser), or the beginning of the
    name, in upper or lower case."""


@dataclass(frozen=True, order=True)
class ListPosition:
    """The position of one connection. The list is in descending order."""

    severity: int
    connected_at: datetime
    id: str

    @classmethod
    def of(cls, connection: Connection) -> ListPosition:
        return cls(SEVERITIES[connection.status], connection.connected_at, connection.id)

    @classmethod
    def above(cls, severity: int) -> ListPosition:
        """Returns the position before all connections with this severity."""
        return cls(severity + 1, datetime.fromtimestamp(0, UTC), str(UUID(int=0)))


class ConnectionListOperations(Operations):
    async def search_connections(
        self, filter: ConnectionFilter, *, after: ListPosition | None = None, max_rows: int
    ) -> list[Connection]:
        """A listed connection has no advertisers, because they may be thousands. It has its profile, if any."""
        ranks = SEVERITIES.values() if filter.status is None else (SEVERITIES[filter.status],)
        before = ListPosition.above(max(ranks))
        if after is not None:
            before = min(after, before)
        rows = await self._call(
            "search_connections",
            user_id=filter.user_id,
            family=filter.family,
            query=filter.query and _canonical(filter.query),
            min_severity=min(ranks),
            before_severity=before.severity,
            before_connected_at=before.connected_at,
            before_id=before.id,
            max_rows=max_rows,
        )
        return parse_rows(Connection, rows)

    async def count_connections(self, *, user_id: UserId | None = None) -> list[ConnectionCount]:
        return parse_rows(ConnectionCount, await self._call("count_connections", user_id=user_id))


def _canonical(query: str) -> str:
    """Writes a UUID in lower case, like the ids of connections and users."""
    lowered = query.lower()
    return lowered if UUID_PATTERN.fullmatch(lowered) else query
