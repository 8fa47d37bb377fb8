"""Writes the outcomes of token operations to the store, many in one call.

New tokens are in the journal before an outcome is written. If the store cannot save the tokens, their
outcome stays in the list of unsaved outcomes, and reads use this list. An outcome without tokens does not
stay in the list: its lease expires and the operation is repeated. If the store rejects an outcome
permanently, this is a bug in the service: the outcome stays in the list and blocks only its connection.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from connector.clock import Clock
from connector.concurrency import Batcher
from connector.errors import ConnectorError, InternalError
from connector.journal import Journal
from connector.model import StoredTokens
from connector.store import ERRORS_OF_ONE_ITEM, Outcome, Store

log = logging.getLogger(__name__)

REJECTED_RETRY_SECONDS = 60.0
MAX_BATCH_SIZE = 250
MAX_RUNNING_CALLS = 2
"""A slow store must not be filled with writes of outcomes: token reads need its connections, too."""

MAX_WAIT_SECONDS = 0.05
"""Shorter than a call to TikTok. Fewer and larger batches are less work for the store."""


class SaveResult(Enum):
    SAVED = "saved"
    SUPERSEDED = "superseded"
    """The store refused the outcome because another write was earlier."""


@dataclass(eq=False)
class UnsavedOutcome:
    outcome: Outcome
    entry_id: int | None
    """None if the journal could not be written."""

    retry_at: float = 0.0
    """In `Clock.ticks`."""


class OutcomeWriter:
    def __init__(self, *, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self.unsaved: list[UnsavedOutcome] = []
        """New tokens that the store does not have yet."""
        self._batcher = Batcher(
            self._write_batch,
            # The second outcome of a connection depends on its first.
            conflict_key=lambda outcome: outcome.connection_id,
            retry_singly_on=ERRORS_OF_ONE_ITEM,
            max_size=MAX_BATCH_SIZE,
            max_wait_seconds=MAX_WAIT_SECONDS,
            max_running=MAX_RUNNING_CALLS,
        )

    def add_unsaved(self, outcome: Outcome, entry_id: int | None) -> None:
        self.unsaved.append(UnsavedOutcome(outcome, entry_id))

    def has_unsaved_tokens(self, connection_id: str) -> bool:
        """Returns True if the store has a used refresh token, and only this process has the new one."""
        return any(unsaved.outcome.connection_id == connection_id for unsaved in self.unsaved)

    def with_unsaved(self, stored: StoredTokens) -> StoredTokens:
        """Returns the row with the unsaved outcomes applied."""
        for unsaved in self.unsaved:
            outcome = unsaved.outcome
            if (outcome.connection_id, outcome.token_version) == (
                stored.connection_id,
                stored.token_version,
            ):
                stored = outcome.apply_to(stored)
        return stored

    async def write(self, outcome: Outcome, *, entry_id: int | None = None) -> SaveResult:
        """If new tokens cannot be saved, they are added to `unsaved` and the error is raised."""
        try:
            result = await self._batcher.submit(outcome)
        except ConnectorError as error:
            if outcome.encrypted_tokens is not None:
                self.add_unsaved(outcome, entry_id)
                log.warning(
                    "tokens not saved, will retry connection_id=%s error=%s",
                    outcome.connection_id,
                    error.code,
                )
            raise
        if entry_id is not None:
            await self._journal.remove(entry_id)
        return result

    async def flush_unsaved(self) -> None:
        """Writes the unsaved outcomes one at a time, in order. Raises if the store does not answer."""
        for unsaved in list(self.unsaved):
            if self._clock.ticks() < unsaved.retry_at:
                continue
            connection_id = unsaved.outcome.connection_id
            try:
                [result] = await self._write_batch([unsaved.outcome])
            except InternalError:
                unsaved.retry_at = self._clock.ticks() + REJECTED_RETRY_SECONDS
                log.error("store rejected new tokens, will retry connection_id=%s", connection_id)
                continue
            self.unsaved.remove(unsaved)
            if unsaved.entry_id is not None:
                await self._journal.remove(unsaved.entry_id)
            log.info(
                "unsaved tokens written connection_id=%s result=%s", connection_id, result.value
            )

    async def _write_batch(self, outcomes: Sequence[Outcome]) -> list[SaveResult]:
        try:
            changed = await self._store.apply_outcomes(outcomes, now=self._clock.database_time())
        except ConnectorError:
            raise
        except Exception as error:
            log.exception("unexpected error while saving outcomes")
            raise InternalError("The outcome of a token operation could not be saved.") from error
        return [
            SaveResult.SAVED if outcome.connection_id in changed else SaveResult.SUPERSEDED
            for outcome in outcomes
        ]
