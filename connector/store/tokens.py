"""Operations on encrypted tokens, on refresh leases, and on the outcomes of token operations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.concurrency import Batcher
from connector.errors import StoreUnreachable
from connector.model import StoredTokens, UserId

from .database import Database
from .operations import (
    ERRORS_OF_ONE_ITEM,
    Operations,
    parse_first_row,
    parse_row_or_error,
    parse_rows,
)
from .outcome import Outcome
from .records import RowId, StoredTokensKey


class TokenRowOperations(Operations):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._token_reads = Batcher(self._get_stored_tokens, retry_singly_on=ERRORS_OF_ONE_ITEM)

    async def get_stored_tokens(self, connection_id: str) -> StoredTokens | None:
        return await self._token_reads.submit(connection_id)

    async def _get_stored_tokens(
        self, connection_ids: Sequence[str]
    ) -> list[StoredTokens | StoreUnreachable | None]:
        rows = await self._call(
            "get_stored_tokens", connection_ids=list(dict.fromkeys(connection_ids))
        )
        # If a row has no id, the whole response is malformed: a missing row does not mean "unknown" then.
        keys = parse_rows(StoredTokensKey, rows)
        tokens_by_id = {
            key.connection_id: parse_row_or_error(StoredTokens, row)
            for key, row in zip(keys, rows, strict=True)
        }
        return [tokens_by_id.get(connection_id) for connection_id in connection_ids]

    async def find_stored_tokens(self, user_id: UserId, family: str) -> StoredTokens | None:
        """Returns an active connection if one exists, and the newest if several match."""
        rows = await self._call("find_stored_tokens", user_id=user_id, family=family)
        return parse_first_row(StoredTokens, rows) if rows else None

    async def acquire_refresh_lease(
        self,
        connection_id: str,
        *,
        token_version: int,
        owner: str,
        now: datetime | None,
        lease: timedelta,
    ) -> StoredTokens | None:
        """Returns None if another owner has the lease, the connection has ended, or the row has another
        version."""
        rows = await self._call(
            "acquire_refresh_lease",
            connection_id=connection_id,
            token_version=token_version,
            owner=owner,
            now=now,
            lease_seconds=lease.total_seconds(),
        )
        return parse_first_row(StoredTokens, rows) if rows else None

    async def lease_due_connections(
        self,
        *,
        owner: str,
        max_rows: int,
        now: datetime | None,
        lease: timedelta,
        max_lease: timedelta,
    ) -> list[StoredTokens]:
        """Leases each connection for a third of its token's remaining life, but at least for `lease` and at
        most for `max_lease`."""
        rows = await self._call(
            "lease_due_connections",
            owner=owner,
            max_rows=max_rows,
            now=now,
            lease_seconds=lease.total_seconds(),
            max_lease_seconds=max_lease.total_seconds(),
        )
        return parse_rows(StoredTokens, rows)

    async def release_leases(
        self, owners: Sequence[str], *, now: datetime | None, max_lease: timedelta
    ) -> int:
        """Ends the leases of these owners, makes the connections due and returns their number.

        No lease is longer than `max_lease`.
        """
        rows = await self._call(
            "release_leases",
            owners=list(owners),
            now=now,
            max_lease_seconds=max_lease.total_seconds(),
        )
        return len(parse_rows(RowId, rows))

    async def apply_outcomes(
        self, outcomes: Sequence[Outcome], *, now: datetime | None
    ) -> set[str]:
        """Returns the ids of the changed connections. An outcome that is too late changes nothing."""
        ordered = sorted(outcomes, key=lambda outcome: outcome.connection_id)
        rows = await self._call(
            "apply_outcomes", outcomes=[outcome.as_json for outcome in ordered], now=now
        )
        return {row.id for row in parse_rows(RowId, rows)}
