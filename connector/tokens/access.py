"""Returns usable tokens: decrypted, and valid for at least the refresh margin if possible."""

from __future__ import annotations

from dataclasses import dataclass

from connector import schedule
from connector.clock import Clock
from connector.encryption import TokenCipher, stored_tokens_associated_data
from connector.errors import Busy, ConnectorError, NotFound, ReconnectRequired
from connector.model import StoredTokens, Tokens

from .failures import raise_if_backing_off, require_active
from .outcome_writer import OutcomeWriter
from .refresher import TokenRefresher

PERMANENT_ERRORS = (ReconnectRequired, NotFound)


@dataclass(frozen=True)
class UsableTokens:
    stored: StoredTokens
    tokens: Tokens


class TokenAccess:
    def __init__(
        self,
        *,
        refresher: TokenRefresher,
        outcome_writer: OutcomeWriter,
        cipher: TokenCipher,
        clock: Clock,
    ) -> None:
        self._refresher = refresher
        self._outcome_writer = outcome_writer
        self._cipher = cipher
        self._clock = clock

    async def get_usable(self, stored: StoredTokens | None, *, actor: str) -> UsableTokens:
        """Returns tokens after a refresh, if one is needed; the old tokens if the refresh fails and the
        old tokens have not expired."""
        self._refresher.background_limit.note_foreground_request()
        if stored is None:
            raise NotFound("There is no such connection.")
        current = self._decrypt(self._outcome_writer.with_unsaved(stored))
        if schedule.is_fresh(current.tokens, self._clock.now()):
            return current
        try:
            refreshed = await self._refresh(current, actor=actor)
        except ConnectorError as error:
            is_transient = not isinstance(error, PERMANENT_ERRORS)
            if is_transient and schedule.is_unexpired(current.tokens, self._clock.now()):
                return current
            raise
        is_unexpired = schedule.is_unexpired(refreshed.tokens, self._clock.now())
        if refreshed.tokens.refresh is not None and not is_unexpired:
            raise Busy("The token expired before it could be returned; try again.", retry_after=1)
        return refreshed

    async def _refresh(self, current: UsableTokens, *, actor: str) -> UsableTokens:
        if current.stored.last_failure is not None:
            raise_if_backing_off(current.stored.last_failure, self._clock.now())
        result = await self._refresher.refresh(
            current.stored, actor=actor, operation="read", tokens=current.tokens
        )
        if result.tokens is None:
            return self._decrypt(result.stored)
        return UsableTokens(result.stored, result.tokens)

    def _decrypt(self, stored: StoredTokens) -> UsableTokens:
        require_active(stored)
        assert stored.encrypted_tokens is not None  # noqa: S101
        tokens = self._cipher.decrypt_tokens(
            stored.encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )
        return UsableTokens(stored, tokens)
