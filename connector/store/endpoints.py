"""The endpoints that events are sent to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.model import Ciphertext

from .event_records import MAX_DROPPED, EndpointRow, EndpointState
from .operations import Operations, parse_first_row, parse_rows


class EndpointOperations(Operations):
    async def save_endpoint(
        self,
        endpoint_id: str,
        *,
        url: str,
        events: Sequence[str],
        description: str,
        encrypted_secrets: Ciphertext,
        now: datetime | None,
    ) -> None:
        """Inserts an endpoint, or replaces an endpoint and enables it."""
        await self._call(
            "save_endpoint",
            endpoint_id=endpoint_id,
            url=url,
            events=list(events),
            description=description,
            encrypted_secrets=encrypted_secrets,
            now=now,
        )

    async def update_endpoint(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        state: EndpointState | None = None,
        max_dropped: int = MAX_DROPPED,
        now: datetime | None,
    ) -> bool:
        """Changes the given columns. Returns False if the endpoint does not exist.

        An endpoint that is enabled again counts as not failing. The pending deliveries of an endpoint that is disabled
        are dropped, at once at most `max_dropped`.
        """
        rows = await self._call(
            "update_endpoint",
            endpoint_id=endpoint_id,
            url=url,
            events=None if events is None else list(events),
            description=description,
            state=state,
            max_dropped=max_dropped,
            now=now,
        )
        return bool(rows)

    async def replace_endpoint_secrets(
        self, endpoint_id: str, *, old: Ciphertext, new: Ciphertext, now: datetime | None
    ) -> bool:
        """Returns False if the endpoint no longer has the old secrets."""
        rows = await self._call(
            "replace_endpoint_secrets", endpoint_id=endpoint_id, old=old, new=new, now=now
        )
        return bool(rows)

    async def delete_endpoint(self, endpoint_id: str) -> bool:
        """Deletes the deliveries of the endpoint too."""
        return bool(await self._call("delete_endpoint", endpoint_id=endpoint_id))

    async def list_endpoints(self, *, now: datetime | None) -> list[EndpointRow]:
        rows = await self._call("list_endpoints", endpoint_id=None, now=now)
        return parse_rows(EndpointRow, rows)

    async def get_endpoint(self, endpoint_id: str, *, now: datetime | None) -> EndpointRow | None:
        rows = await self._call("list_endpoints", endpoint_id=endpoint_id, now=now)
        return parse_first_row(EndpointRow, rows) if rows else None
