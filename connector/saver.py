"""Brings what flights found home to the store, many in one call.

While one call is under way the next outcomes gather, so a quiet service saves one by one and a
busy one in batches. New tokens are in the journal before they come here; if the store does not
answer they stay on a list and are tried again, before anything else is claimed, until the store has
said yes or no. An outcome without tokens is not worth that: its lease runs out by itself. One that
the store will not have at all is our bug: it stays on the list, in nobody's way but its own
connection's.

What dead processes had claimed is freed in the same place, and only once nothing is on the list: as
long as one answer of theirs is known here alone, the store's tokens of that connection are spent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from .clock import Clock
from .errors import Broken, ConnectorError, Misconfigured
from .journal import Entry, Journal
from .model import Kept
from .store import Outcome, Store

log = logging.getLogger(__name__)

MOST = 250
AFTER_A_REFUSAL = timedelta(minutes=1)


@dataclass
class Waiting:
    outcome: Outcome
    ticket: int | None
    home: asyncio.Future[bool]
    again_at: datetime | None = None


class Saver:
    def __init__(self, *, store: Store, journal: Journal, clock: Clock, lease: timedelta) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._lease = lease
        self._dead: dict[int, str] = {}
        self._waiting: list[Waiting] = []
        self._unsaved: list[Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._catching_up = asyncio.Lock()

    def take_over(self, ticket: int, entry: Entry) -> None:
        """An answer that a process wrote down and did not live to save."""
        try:
            outcome = Outcome.model_validate(entry.fields)
        except ValidationError:
            log.error("journal entry not understood, left where it is ticket=%d", ticket)
            return
        self._unsaved.append(_waiting(outcome, ticket))

    def outlived(self, ticket: int, holder: str) -> None:
        """A process that did not live to give back what it had claimed."""
        self._dead[ticket] = holder

    @property
    def behind(self) -> int:
        return len(self._unsaved)

    def holds(self, id: str) -> bool:
        """Whether the store's tokens of this connection are spent, and the newer ones are here."""
        return any(waiting.outcome.id == id for waiting in self._unsaved)

    def newest(self, kept: Kept) -> Kept:
        """As the store will have it, once it has what is held for it here."""
        for waiting in self._unsaved:
            if (waiting.outcome.id, waiting.outcome.version) == (kept.id, kept.version):
                kept = after(kept, waiting.outcome)
        return kept

    async def save(self, outcome: Outcome, ticket: int | None = None) -> bool:
        """True if saved, False if refused: somebody else's write came first."""
        waiting = _waiting(outcome, ticket)
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await waiting.home

    async def catch_up(self) -> None:
        """Saves what could not be saved before, then frees what the dead had claimed.

        Raises while the store does not answer.
        """
        if not self._unsaved and not self._dead:
            return
        async with self._catching_up:
            await self._save_the_unsaved()
            if self._dead and not self._unsaved:
                await self._free_what_the_dead_held()

    async def _save_the_unsaved(self) -> None:
        now = self._clock.now()
        for waiting in list(self._unsaved):
            if waiting.again_at is not None and now < waiting.again_at:
                continue
            id = waiting.outcome.id
            try:
                saved = await self._save([waiting])
            except Broken:
                waiting.again_at = now + AFTER_A_REFUSAL
                log.error("the store will not have what it must connection=%s", id)
                continue
            self._unsaved.remove(waiting)
            await self._clear(waiting)
            log.info("caught up connection=%s saved=%s", id, id in saved)

    async def _free_what_the_dead_held(self) -> None:
        holders, now = list(self._dead.values()), self._clock.now()
        try:
            freed = await self._store.release(holders, now=now, until=now + self._lease)
        except (Broken, Misconfigured) as error:
            # Those leases run out by themselves; nothing new must wait for more than that.
            log.error("the store will not free what the dead held because=%s", error.code)
        else:
            log.info("freed what the dead held processes=%d connections=%d", len(holders), freed)
        while self._dead:
            await self._journal.clear(self._dead.popitem()[0])

    async def close(self) -> None:
        if self._worker is not None:
            await self._worker
        with contextlib.suppress(ConnectorError):
            await self.catch_up()

    async def _work(self) -> None:
        while batch := self._next():
            try:
                await self._bring(batch)
            except ConnectorError as error:
                for waiting in batch:
                    self._keep(waiting, error)

    def _next(self) -> list[Waiting]:
        """One connection appears once in a batch: its second outcome stands on its first."""
        batch: dict[str, Waiting] = {}
        for waiting in self._waiting[:MOST]:
            if waiting.outcome.id in batch:
                break
            batch[waiting.outcome.id] = waiting
        del self._waiting[: len(batch)]
        return list(batch.values())

    async def _bring(self, batch: list[Waiting]) -> None:
        try:
            saved = await self._save(batch)
        except Broken:
            # The store refused the batch, not the weather: find the one it cannot take.
            if len(batch) == 1:
                raise
            for waiting in batch:
                await self._bring_alone(waiting)
            return
        for waiting in batch:
            await self._clear(waiting)
            if not waiting.home.done():
                waiting.home.set_result(waiting.outcome.id in saved)

    async def _bring_alone(self, waiting: Waiting) -> None:
        try:
            await self._bring([waiting])
        except ConnectorError as error:
            self._keep(waiting, error)

    async def _save(self, batch: list[Waiting]) -> set[str]:
        outcomes = [waiting.outcome for waiting in batch]
        try:
            return await self._store.save_outcomes(outcomes, now=self._clock.now())
        except ConnectorError:
            raise
        except Exception as error:
            log.exception("saving broke")
            raise Broken("The store refused what a flight brought home.") from error

    def _keep(self, waiting: Waiting, error: ConnectorError) -> None:
        if waiting.outcome.sealed is not None:
            self._unsaved.append(waiting)
            log.warning("not saved yet connection=%s because=%s", waiting.outcome.id, error.code)
        if not waiting.home.done():
            waiting.home.set_exception(error)

    async def _clear(self, waiting: Waiting) -> None:
        if waiting.ticket is not None:
            await self._journal.clear(waiting.ticket)


def after(kept: Kept, outcome: Outcome) -> Kept:
    """What the store makes of it. A revocation outlives every outcome."""
    status = "revoked" if kept.status == "revoked" else outcome.status
    if outcome.sealed is None:
        return kept.model_copy(update={"status": status, "failure": outcome.failure})
    return kept.model_copy(
        update={
            "status": status,
            "failure": None,
            "sealed": outcome.sealed,
            "expires_at": outcome.expires_at,
            "refresh_expires_at": outcome.refresh_expires_at,
            "version": kept.version + 1,
        }
    )


def _waiting(outcome: Outcome, ticket: int | None) -> Waiting:
    return Waiting(outcome, ticket, asyncio.get_running_loop().create_future())
