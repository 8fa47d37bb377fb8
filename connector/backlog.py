"""What this process still owes the store: grants it missed, claims to be given back.

All of it is brought over before anything new is claimed, and in this order, so that a code whose
grant we have is never taken for one that nobody exchanged. The journal holds what a crash must not
take; the rest need not outlive us, because a claim runs out by itself.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from .clock import Clock
from .errors import Broken, ConnectorError
from .grants import Held, Presented, noted, read_entry
from .journal import Entry, Journal
from .model import Sealed
from .store import Store

log = logging.getLogger(__name__)


class Backlog:
    def __init__(self, *, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._unsaved: dict[str, Held] = {}
        self._unfinished: dict[str, Held] = {}
        self._claims: list[tuple[Entry, int | None]] = []
        self._bringing_over = asyncio.Lock()

    @property
    def unsaved(self) -> int:
        return len(self._unsaved)

    def due(self) -> list[Held]:
        """Grants in the store that are no connections yet, and whose time to be tried has come."""
        now = self._clock.now()
        return [held for held in self._unfinished.values() if held.is_due(now)]

    def missed(self, held: Held) -> None:
        self._unsaved[held.key] = held

    async def failed(self, held: Held, *, for_good: bool) -> None:
        """The store knows; it is tried again by and by, unless that would change nothing."""
        now = self._clock.now()
        self.take(held.key)
        if for_good or held.is_hopeless(now):
            await self.clear(held.ticket)
        else:
            self._unfinished[held.key] = held.later(now)

    def take(self, key: str) -> Held | None:
        return self._unfinished.pop(key, None)

    def give_back(self, presented: Presented) -> None:
        """A claim that the store has, or may have, and that nothing will come of."""
        self._claims.append((noted(presented), None))

    async def clear(self, ticket: int | None) -> None:
        if ticket is not None:
            await self._journal.clear(ticket)

    async def replay(self) -> None:
        for ticket, entry in self._journal.left():
            if entry.kind == "code":
                self._claims.append((entry, ticket))
            elif entry.kind == "grant":
                held = Held(entry, ticket)
                if (twice := self._unsaved.get(held.key)) is not None:
                    await self.clear(twice.ticket)
                self._unsaved[held.key] = held
        await self.bring_over()

    async def bring_over(self) -> None:
        """Raises while the store does not answer."""
        if not self._unsaved and not self._claims:
            return
        async with self._bringing_over:
            for key, held in list(self._unsaved.items()):
                with _others_go_on("a grant"):
                    await self._restore(held)
                del self._unsaved[key]
            while self._claims:
                entry, ticket = self._claims[0]
                with _others_go_on("a claim back"):
                    await self._free(entry)
                    await self.clear(ticket)
                del self._claims[0]

    async def _restore(self, held: Held) -> None:
        presented, envelope = self.read(held)
        now = self._clock.now()
        self._unfinished[held.key] = held.later(now)  # Should the store refuse it this time.
        claim = await self._store.restore_code(
            presented.key,
            user_id=presented.intent.user_id,
            family=presented.intent.family,
            holder=presented.holder,
            sealed=envelope,
            now=now,
            until=now,  # Whoever comes next may go on with it.
        )
        if claim is None:
            self.take(held.key)
            await self.clear(held.ticket)
        else:
            self._unfinished[held.key] = held

    async def _free(self, entry: Entry) -> None:
        key, holder, now = entry.fields["key"], entry.fields["holder"], self._clock.now()
        await self._store.settle_code(
            key, holder=holder, sealed=None, answer=None, attempt=None, now=now
        )

    def read(self, held: Held) -> tuple[Presented, Sealed]:
        return read_entry(held.entry, began=self._clock.ticks(), holder=uuid.uuid4().hex)


@contextmanager
def _others_go_on(what: str) -> Iterator[None]:
    """What is wrong with one must not stop the rest; what is wrong with the store does."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ConnectorError) and not isinstance(error, Broken):
            raise
        log.exception("the store will not take %s; the journal keeps it", what)
