"""Counts of attempts and connections. Both queries read many rows, so their results are cached."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from connector.clock import Clock
from connector.model import ConnectionStatus
from connector.store import SEVERITIES, AttemptCount, ConnectionCount, Store

from .scope import Scope

T = TypeVar("T")

ACTIVITY_HOURS = 24
ACTIVITY_CACHE_TTL = timedelta(seconds=10)
CONNECTION_COUNTS_CACHE_TTL = timedelta(seconds=30)


@dataclass(frozen=True)
class Activity:
    """The attempts of this hour and of the 23 hours before; hour 0 starts at `since`."""

    since: datetime
    counts: list[AttemptCount]


class _CachedQuery(Generic[T]):
    """Concurrent callers share one execution of the query."""

    def __init__(
        self, execute: Callable[[], Awaitable[T]], *, ttl: timedelta, clock: Clock
    ) -> None:
        self._execute = execute
        self._ttl = ttl
        self._clock = clock
        self._lock = asyncio.Lock()
        self._executed_at: datetime | None = None
        self._result: T

    @property
    def is_fresh(self) -> bool:
        now = self._clock.now()
        return self._executed_at is not None and now - self._executed_at < self._ttl

    @property
    def is_running(self) -> bool:
        return self._lock.locked()

    async def result(self) -> T:
        async with self._lock:
            if not self.is_fresh:
                started_at = self._clock.now()
                self._result = await self._execute()
                self._executed_at = started_at
            return self._result


class ConnectionStatistics:
    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._activity: dict[Scope, _CachedQuery[Activity]] = {}
        self._connection_counts = _CachedQuery(
            store.count_connections, ttl=CONNECTION_COUNTS_CACHE_TTL, clock=clock
        )

    async def activity(self, scope: Scope) -> Activity:
        # Otherwise the results of users who no longer ask would accumulate.
        self._activity = {
            cached_scope: query
            for cached_scope, query in self._activity.items()
            if query.is_fresh or query.is_running
        }
        query = self._activity.get(scope)
        if query is None:
            query = _CachedQuery(
                lambda: self._count_activity(scope), ttl=ACTIVITY_CACHE_TTL, clock=self._clock
            )
            self._activity[scope] = query
        return await query.result()

    async def connection_counts(self) -> list[ConnectionCount]:
        return await self._connection_counts.result()

    async def totals(self, scope: Scope, *, family: str | None) -> dict[ConnectionStatus, int]:
        """Counts connections by status. The connections of one user are few, so they are counted at each
        call."""
        if scope.user_id is None:
            counts = await self.connection_counts()
        else:
            counts = await self._store.count_connections(user_id=scope.user_id)
        totals = dict.fromkeys(SEVERITIES, 0)
        for count in counts:
            if family in (None, count.family):
                totals[count.status] += count.count
        return totals

    async def _count_activity(self, scope: Scope) -> Activity:
        this_hour = self._clock.now().replace(minute=0, second=0, microsecond=0)
        since = this_hour - timedelta(hours=ACTIVITY_HOURS - 1)
        rows = await self._store.count_attempts_by_hour(user_id=scope.user_id, since=since)
        counts: Counter[tuple[int, str, str]] = Counter()
        for row in rows:
            # The clock of another replica may be in the next hour already. That attempt counts for the last hour.
            hour = min(row.hour, ACTIVITY_HOURS - 1)
            counts[hour, row.operation, row.result] += row.count
        return Activity(
            since,
            [
                AttemptCount(hour=hour, operation=operation, result=result, count=count)
                for (hour, operation, result), count in counts.items()
            ],
        )
