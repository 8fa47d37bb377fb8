"""Operations on connections, without their tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from operator import itemgetter

from connector.concurrency import Batcher
from connector.errors import StoreUnreachable
from connector.model import Account, Connection, StoredTokens, UserId

from .database import Database
from .operations import (
    ERRORS_OF_ONE_ITEM,
    PAGE_SIZE,
    BatchItem,
    Operations,
    parse_first_row,
    parse_row_or_error,
    parse_rows,
)
from .records import (
    AdvertiserRow,
    ConnectionUpsert,
    JsonObject,
    UpsertResult,
    UserAccountsReport,
)


class ConnectionOperations(Operations):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._upserts = Batcher(
            self._upsert_connections,
            conflict_key=lambda item: item.fields["user_id"],
            retry_singly_on=ERRORS_OF_ONE_ITEM,
        )

    async def upsert_connection(
        self, upsert: ConnectionUpsert, *, now: datetime | None
    ) -> UpsertResult:
        return await self._upserts.submit(BatchItem(upsert.model_dump(mode="json"), now))

    async def _upsert_connections(
        self, items: Sequence[BatchItem]
    ) -> list[UpsertResult | StoreUnreachable]:
        upserts: list[JsonObject] = [item.fields for item in items]
        # All calls use the same order. Otherwise two overlapping batches could wait for each other's rows.
        ordered = sorted(upserts, key=itemgetter("user_id"))
        rows = await self._call("upsert_connections", connections=ordered, now=items[-1].now)
        rows_by_hash = {row.get("code_hash"): row for row in rows}
        return [
            parse_row_or_error(UpsertResult, rows_by_hash.get(upsert["code_hash"]))
            for upsert in upserts
        ]

    async def select_advertiser(
        self,
        connection_id: str,
        *,
        advertiser_id: str,
        token_version: int,
        account_token: str | None,
        now: datetime | None,
    ) -> Account | None:
        """Returns None if the connection has other tokens, is not active or has no such advertiser."""
        rows = await self._call(
            "select_advertiser",
            connection_id=connection_id,
            token_version=token_version,
            advertiser_id=advertiser_id,
            account_token=account_token,
            now=now,
        )
        return parse_first_row(AdvertiserRow, rows).advertiser if rows else None

    async def check_user_accounts(self) -> UserAccountsReport:
        return parse_first_row(UserAccountsReport, await self._call("check_user_accounts"))

    async def get_connection(self, connection_id: str) -> Connection | None:
        rows = await self._call("get_connection", connection_id=connection_id)
        return parse_first_row(Connection, rows) if rows else None

    async def list_connections(
        self,
        *,
        user_id: UserId | None = None,
        family: str | None = None,
        after_id: str | None = None,
    ) -> AsyncIterator[Connection]:
        """Lists connections without their accounts, because one connection may have thousands of
        accounts. `get_connection` returns the accounts."""
        while True:
            rows = await self._call(
                "list_connections",
                user_id=user_id,
                family=family,
                after_id=after_id,
                max_rows=PAGE_SIZE,
            )
            page = parse_rows(Connection, rows)
            for connection in page:
                yield connection
            if len(page) < PAGE_SIZE:
                return
            after_id = page[-1].id

    async def mark_disconnected(
        self, connection_id: str, *, now: datetime | None
    ) -> StoredTokens | None:
        rows = await self._call("mark_disconnected", connection_id=connection_id, now=now)
        return parse_first_row(StoredTokens, rows) if rows else None
