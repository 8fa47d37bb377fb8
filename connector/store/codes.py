"""Operations on authorization codes. A code has one exchange, even if it is posted several times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from connector.concurrency import Batcher
from connector.errors import StoreUnreachable
from connector.model import Attempt, Ciphertext, UserId

from .database import Database
from .operations import ERRORS_OF_ONE_ITEM, BatchItem, Operations, parse_row_or_error
from .records import CodeClaim, CodeClaimRow, StoredReply


class CodeOperations(Operations):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._code_claims = Batcher(
            self._claim_codes,
            conflict_key=lambda item: item.fields["code_hash"],
            retry_singly_on=ERRORS_OF_ONE_ITEM,
        )

    async def claim_code(
        self,
        code_hash: str,
        *,
        state_hash: str,
        user_id: UserId,
        family: str,
        claimed_by: str,
        now: datetime | None,
        lease: timedelta,
    ) -> CodeClaim:
        fields = {
            "code_hash": code_hash,
            "state_hash": state_hash,
            "user_id": user_id,
            "family": family,
            "claimed_by": claimed_by,
        }
        return (await self._code_claims.submit(BatchItem(fields, now, lease))).claim

    async def _claim_codes(
        self, items: Sequence[BatchItem]
    ) -> list[CodeClaimRow | StoreUnreachable]:
        claims = [item.fields for item in items]
        rows = await self._call(
            "claim_codes",
            claims=sorted(claims, key=itemgetter("code_hash")),
            now=items[-1].now,
            lease_seconds=items[-1].lease.total_seconds(),
        )
        rows_by_hash = {row.get("code_hash"): row for row in rows}
        return [
            parse_row_or_error(CodeClaimRow, rows_by_hash.get(claim["code_hash"]))
            for claim in claims
        ]

    async def record_code_result(
        self,
        code_hash: str,
        *,
        claimed_by: str,
        encrypted_grant: Ciphertext | None,
        reply: StoredReply | None,
        attempt: Attempt | None,
        now: datetime | None,
    ) -> None:
        """Ends the claim. A reply is final. Without a reply, the next POST of the code continues."""
        await self._call(
            "record_code_result",
            code_hash=code_hash,
            claimed_by=claimed_by,
            encrypted_grant=encrypted_grant,
            reply=reply,
            attempt=attempt and attempt.model_dump(mode="json"),
            now=now,
        )

    async def restore_pending_grant(
        self,
        code_hash: str,
        *,
        state_hash: str,
        user_id: UserId,
        family: str,
        claimed_by: str,
        claimed_at: datetime,
        encrypted_grant: Ciphertext,
        now: datetime | None,
        lease: timedelta,
    ) -> bool:
        """Claims the code and stores its grant. Returns False if the code already has a connection,
        or if its grant was superseded."""
        rows = await self._call(
            "restore_pending_grant",
            code_hash=code_hash,
            state_hash=state_hash,
            user_id=user_id,
            family=family,
            claimed_by=claimed_by,
            claimed_at=claimed_at,
            encrypted_grant=encrypted_grant,
            now=now,
            lease_seconds=lease.total_seconds(),
        )
        return bool(rows)
