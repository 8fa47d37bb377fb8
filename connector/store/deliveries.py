"""Leases deliveries of events, and stores their results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .event_records import (
    MAX_DROPPED,
    DeliveryResult,
    DeliveryRow,
    DeliveryState,
    LeasedDelivery,
    ReplayResult,
)
from .operations import Operations, parse_first_row, parse_rows
from .records import RowId


class DeliveryOperations(Operations):
    async def lease_due_deliveries(
        self,
        *,
        lease_owner: str,
        max_rows: int,
        max_per_endpoint: int,
        lease_seconds: float,
        now: datetime | None,
    ) -> list[LeasedDelivery]:
        """Leases at most `max_per_endpoint` deliveries of an endpoint, eight if the endpoint is failing.

        The deliveries of an endpoint are leased by one owner at a time. So a limit of open requests to an endpoint
        in one process is a limit in all processes.
        """
        rows = await self._call(
            "lease_due_deliveries",
            lease_owner=lease_owner,
            max_rows=max_rows,
            max_per_endpoint=max_per_endpoint,
            lease_seconds=lease_seconds,
            now=now,
        )
        return parse_rows(LeasedDelivery, rows)

    async def settle_deliveries(
        self,
        results: Sequence[DeliveryResult],
        *,
        lease_owner: str,
        disable_after_seconds: float,
        max_dropped: int = MAX_DROPPED,
        now: datetime | None,
    ) -> list[str]:
        """Returns the endpoints that this call has disabled. A result whose lease is lost changes nothing.

        The pending deliveries of an endpoint that is disabled are dropped, at once at most `max_dropped`.
        """
        ordered = sorted(results, key=lambda result: result.id)
        rows = await self._call(
            "settle_deliveries",
            results=[result.model_dump(mode="json") for result in ordered],
            lease_owner=lease_owner,
            disable_after_seconds=disable_after_seconds,
            max_dropped=max_dropped,
            now=now,
        )
        return [row.id for row in parse_rows(RowId, rows)]

    async def release_deliveries(self, *, lease_owner: str, now: datetime | None) -> None:
        """Another process may send the deliveries that the owner has leased and not sent."""
        await self._call("release_deliveries", lease_owner=lease_owner, now=now)

    async def list_deliveries(
        self,
        *,
        endpoint_id: str | None = None,
        state: DeliveryState | None = None,
        before_id: int | None = None,
        max_rows: int,
    ) -> list[DeliveryRow]:
        """Lists the newest first."""
        rows = await self._call(
            "list_deliveries",
            endpoint_id=endpoint_id,
            state=state,
            before_id=before_id,
            max_rows=max_rows,
        )
        return parse_rows(DeliveryRow, rows)

    async def replay_deliveries(
        self,
        endpoint_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        patterns: Sequence[str] | None = None,
        again: bool = False,
        max_rows: int,
        now: datetime | None,
    ) -> ReplayResult:
        """Queues the events that the endpoint has not received, oldest first. `again` queues all events.

        Without `patterns` those of the endpoint are used. A delivery that is queued already stays as it is.
        """
        rows = await self._call(
            "replay_deliveries",
            endpoint_id=endpoint_id,
            since=since,
            until=until,
            patterns=None if patterns is None else list(patterns),
            again=again,
            max_rows=max_rows,
            now=now,
        )
        return parse_first_row(ReplayResult, rows)
