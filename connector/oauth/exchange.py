"""Exchanges one code, from the POST to the connection. The rules are in `oauth/__init__`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace

from connector.attempts import AttemptObserver, ignore_attempt
from connector.clock import Clock
from connector.concurrency import LimitObserver, SingleFlight, ignore_limit
from connector.encryption import TokenCipher
from connector.errors import (
    Busy,
    ConfigurationError,
    ConnectorError,
    InternalError,
    InvalidRequest,
    NotFound,
    StoreUnreachable,
    TikTokUnreachable,
    UnusableUserId,
)
from connector.journal import Journal
from connector.model import Ciphertext, Grant, OAuthState
from connector.store import AnsweredCode, ClaimedCode, CodeBusy, Store
from connector.tiktok import ApiFamily
from connector.tiktok_client import TikTokClient

from .code_claims import CodeClaims
from .code_limiter import RejectedCodeLimiter
from .connection_creator import ConnectionCreator
from .grant_entries import (
    ExchangeRequest,
    PendingGrant,
    claim_entry,
    decrypt_grant,
    encrypt_grant,
    grant_entry,
)
from .pending_grants import PendingGrants
from .replies import SuccessReply, is_permanent, refusal_error, stored_error, success_reply

log = logging.getLogger(__name__)

CONNECTIONS_FOR_EXCHANGES = 64
"""Connections to TikTok for exchanges only, so that refreshes that wait for TikTok do not block an exchange."""

LOST_RESPONSE_HINT = "If TikTok then reports that the code was used, connect again."


class CodeExchange:
    def __init__(
        self,
        *,
        families: Mapping[str, ApiFamily],
        tiktok_client: TikTokClient,
        store: Store,
        journal: Journal,
        cipher: TokenCipher,
        clock: Clock,
        connection_creator: ConnectionCreator,
        observe: AttemptObserver = ignore_attempt,
        on_limited: LimitObserver = ignore_limit,
    ) -> None:
        self._families = families
        self._tiktok_client = tiktok_client
        self._store = store
        self._journal = journal
        self._cipher = cipher
        self._clock = clock
        self._connection_creator = connection_creator
        self._observe = observe
        self._claims = CodeClaims(store=store, clock=clock)
        self.pending_grants = PendingGrants(
            store=store, journal=journal, claims=self._claims, clock=clock
        )
        self._limiter = RejectedCodeLimiter(clock, on_limited=on_limited)
        self._exchanges = SingleFlight[str, SuccessReply](_log_error)

    async def exchange(
        self, code: str, *, state: str, oauth_state: OAuthState, actor: str, peer: str | None = None
    ) -> SuccessReply:
        """Returns the same reply for each POST of this code and state, in every process."""
        if oauth_state.family not in self._families:
            raise InvalidRequest(f"The TikTok app for {oauth_state.family} is not configured here.")
        code_hash = hashlib.sha256(f"{code}\n{state}".encode()).hexdigest()
        # The text of a signed state has several spellings, but its nonce is signed.
        state_hash = hashlib.sha256((oauth_state.nonce or state).encode()).hexdigest()
        request = ExchangeRequest.start(
            code_hash, oauth_state, state_hash=state_hash, actor=actor, clock=self._clock
        )
        # A started exchange is completed even if the browser disconnects, because the code may be used.
        return await self._exchanges.run(
            code_hash, lambda: self._admit_and_exchange(request, code, peer)
        )

    async def close(self) -> None:
        await self._exchanges.wait_until_idle()

    # One exchange.

    async def _admit_and_exchange(
        self, request: ExchangeRequest, code: str, peer: str | None
    ) -> SuccessReply:
        with self._limiter.admit(request.code_hash, request.oauth_state, peer=peer):
            return await self._exchange_once(request, code)

    async def _exchange_once(self, request: ExchangeRequest, code: str) -> SuccessReply:
        await self.pending_grants.flush()
        claim = await self._claims.acquire(request)
        if isinstance(claim, AnsweredCode):
            return await self._replay(claim)
        if claim.encrypted_grant is None:
            pending = await self._redeem(request, claim, code)
        else:
            pending = self.pending_grants.pop(request.code_hash) or PendingGrant(
                request, claim.encrypted_grant, claim.claimed_at, is_in_own_journal=False
            )
        return await self._create_connection(request, claim, pending)

    async def _replay(self, claim: AnsweredCode) -> SuccessReply:
        error = stored_error(claim.reply)
        if error is not None:
            raise error
        connection = await self._store.get_connection(claim.reply["connection_id"])
        if connection is None:
            raise NotFound("This connection was deleted. Connect TikTok again.")
        selected = None if connection.advertiser_lost else connection.selected_advertiser
        return success_reply(
            connection.id,
            family=connection.family,
            accounts=connection.accounts,
            selected=selected,
        )

    async def _redeem(
        self, request: ExchangeRequest, claim: ClaimedCode, code: str
    ) -> PendingGrant:
        pending: PendingGrant | None = None
        try:
            self._require_usable(request, claim)
            async with self._journal.reserve(claim_entry(request)):
                pending = await self._journal_grant(
                    request, claim, await self._request_grant(request, code)
                )
        except Exception as caught:
            error = as_connector_error(caught)
            # An error at the end of the reservation must not lose a received grant.
            if pending is None:
                if not await self._record_error(request, error):
                    self._claims.release_later(request)
                raise error from None
        return pending

    def _require_usable(self, request: ExchangeRequest, claim: ClaimedCode) -> None:
        """Called before the code is sent, because a code that was sent is lost for a correct request."""
        if claim.state_used:
            raise refusal_error("invalid_state")
        key_type = claim.mismatched_key_type
        if key_type is None or not self._families[request.oauth_state.family].has_advertisers:
            return
        if key_type == "unsupported":
            raise ConfigurationError(
                "The service cannot write the selected ad account to the database.",
                detail="The primary key of user_accounts must be one column of type uuid, text or bigint.",
            )
        raise UnusableUserId(
            f"The user id of this state cannot be stored: the key of the table user_accounts has the "
            f"type {key_type}."
        )

    async def _request_grant(self, request: ExchangeRequest, code: str) -> Grant:
        oauth_state = request.oauth_state
        call = self._families[oauth_state.family].exchange_call(
            code, redirect_uri=oauth_state.redirect_uri
        )
        try:
            grant = await self._tiktok_client.execute(call)
        except TikTokUnreachable as error:
            message = f"{error.message} {LOST_RESPONSE_HINT}"
            raise type(error)(
                message, upstream=error.upstream, retry_after=error.retry_after
            ) from None
        return replace(grant, tokens=replace(grant.tokens, issued_at=self._clock.now()))

    async def _journal_grant(
        self, request: ExchangeRequest, claim: ClaimedCode, grant: Grant
    ) -> PendingGrant:
        encrypted_grant = encrypt_grant(self._cipher, grant, code_hash=request.code_hash)
        pending = PendingGrant(request, encrypted_grant, claim.claimed_at, grant)
        try:
            entry_id = await self._journal.append(grant_entry(pending))
        except Exception:
            # The code is used, so the grant can only be saved if the exchange continues.
            log.exception("could not journal new grant, continuing without journal entry")
            return pending
        return replace(pending, entry_ids=(entry_id,))

    async def _create_connection(
        self, request: ExchangeRequest, claim: ClaimedCode, pending: PendingGrant
    ) -> SuccessReply:
        if claim.encrypted_grant is not None:
            # The stored ciphertext is the newer one: a key rotation may have replaced it.
            pending = replace(pending, encrypted_grant=claim.encrypted_grant)
        try:
            grant = pending.grant or decrypt_grant(self._cipher, pending)
            created = await self._connection_creator.create(request, claim, grant)
        except Exception as caught:
            error = as_connector_error(caught)
            if await self._record_error(request, error, pending.encrypted_grant):
                await self.pending_grants.record_failure(pending, permanent=is_permanent(error))
            else:
                self.pending_grants.add_unsaved(pending)
            raise error from None
        await self.pending_grants.remove_entries(pending)
        self._observe(request.oauth_state.family, created.attempt)
        return created.reply

    async def _record_error(
        self,
        request: ExchangeRequest,
        error: ConnectorError,
        encrypted_grant: Ciphertext | None = None,
    ) -> bool:
        """Ends the claim and counts the attempt. Returns False if the store did not accept the result."""
        attempt = request.timer.finish(error)
        self._observe(request.oauth_state.family, attempt)
        try:
            await self._claims.record_error(
                request, error, attempt=attempt, encrypted_grant=encrypted_grant
            )
        except Exception as caught:
            as_connector_error(caught)
            return False
        return True

    # After a crash, or after the store was unreachable.

    async def retry_pending(self) -> None:
        """Continues with due grants, one after the other, because TikTok may have an outage."""
        await self.pending_grants.flush()
        for pending in self.pending_grants.due():
            if pending.code_hash not in self._exchanges:
                task = self._exchanges.start(pending.code_hash, self._resume(pending))
                await asyncio.wait([task])

    async def _resume(self, pending: PendingGrant) -> SuccessReply:
        request = pending.request.start_again()
        try:
            claim = await self._claims.try_acquire(request)
        except StoreUnreachable:
            raise
        except Exception:
            await self.pending_grants.record_failure(pending, permanent=False)
            raise
        if isinstance(claim, CodeBusy):
            raise Busy("Another request is exchanging this code.", retry_after=5)
        self.pending_grants.pop(pending.code_hash)
        if isinstance(claim, AnsweredCode):
            await self.pending_grants.remove_entries(pending)
            return await self._replay(claim)
        if claim.claimed_at != pending.claimed_at:
            # The row of the first claim was deleted: the person was erased, or the grant is too old.
            error = refusal_error("superseded")
            await self._record_error(request, error)
            await self.pending_grants.remove_entries(pending)
            raise error
        return await self._create_connection(request, claim, pending)


def as_connector_error(error: Exception) -> ConnectorError:
    """Logs an unexpected error and hides its message from the caller."""
    if isinstance(error, ConnectorError):
        return error
    log.error("unexpected error in code exchange", exc_info=error)
    return InternalError("An unexpected error occurred and was logged. Try again later.")


def _log_error(_code_hash: str, error: BaseException | None) -> None:
    if isinstance(error, ConnectorError):
        log.info("code exchange failed error=%s", error.code)
    elif error is not None:
        log.error("unexpected error in code exchange", exc_info=error)
