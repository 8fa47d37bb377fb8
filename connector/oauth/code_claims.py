"""Claims of codes in the store: only the owner of a claim may redeem the code.

If the owner neither ends nor releases a claim, the claim expires.
"""

from __future__ import annotations

from datetime import timedelta

from connector.clock import Clock
from connector.concurrency import poll
from connector.errors import Busy, ConnectorError, StoreUnreachable
from connector.model import Attempt, Ciphertext
from connector.store import AnsweredCode, ClaimedCode, CodeBusy, CodeClaim, Store

from .grant_entries import ExchangeRequest, UnreleasedClaim
from .replies import is_permanent, stored_refusal

CLAIM_LEASE = timedelta(seconds=75)
CLAIM_WAIT_SECONDS = 50.0
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.05, 1.0


class CodeClaims:
    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.unreleased: list[UnreleasedClaim] = []

    async def acquire(self, request: ExchangeRequest) -> ClaimedCode | AnsweredCode:
        """Waits while another process has the claim."""
        async for _ in poll(
            self._clock,
            wait_seconds=CLAIM_WAIT_SECONDS,
            min_pause=MIN_POLL_SECONDS,
            max_pause=MAX_POLL_SECONDS,
        ):
            claim = await self.try_acquire(request)
            if not isinstance(claim, CodeBusy):
                return claim
        raise Busy("Another request is exchanging this code. Try again shortly.", retry_after=5)

    async def try_acquire(self, request: ExchangeRequest) -> CodeClaim:
        try:
            return await self._store.claim_code(
                request.code_hash,
                state_hash=request.state_hash,
                user_id=request.oauth_state.user_id,
                family=request.oauth_state.family,
                claimed_by=request.claim_owner,
                now=self._clock.database_time(),
                lease=CLAIM_LEASE,
            )
        except StoreUnreachable:
            # The store may have written the claim although its response was lost.
            self.release_later(request)
            raise

    async def record_error(
        self,
        request: ExchangeRequest,
        error: ConnectorError,
        *,
        attempt: Attempt,
        encrypted_grant: Ciphertext | None,
    ) -> None:
        """Ends the claim. Stores a reply if the error is permanent. Otherwise a later POST can continue."""
        permanent = is_permanent(error)
        await self._store.record_code_result(
            request.code_hash,
            claimed_by=request.claim_owner,
            encrypted_grant=None if permanent else encrypted_grant,
            reply=stored_refusal(error) if permanent else None,
            attempt=attempt,
            now=self._clock.database_time(),
        )

    def release_later(self, request: ExchangeRequest) -> None:
        self.unreleased.append(UnreleasedClaim(request.code_hash, request.claim_owner))

    async def release(self, claim: UnreleasedClaim) -> None:
        await self._store.record_code_result(
            claim.code_hash,
            claimed_by=claim.owner,
            encrypted_grant=None,
            reply=None,
            attempt=None,
            now=self._clock.database_time(),
        )
