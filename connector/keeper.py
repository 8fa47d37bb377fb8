"""The life of a token. The rules that keep a connection from being lost stand here and nowhere else.

1. One refresh at a time per connection, across replicas. Here, flights are shared; between
   processes, a lease in the store says who flies. Claiming it is a write, so the store is proven
   alive before a refresh token is spent.
2. The lease outlasts the longest call: the transport's deadline is shorter than `LEASE`, and whoever
   was held up so long that this is no longer true of their own call does not make it. It guards the
   living from each other. What a dead process held is freed by whoever takes its journal over, once
   the answers in there are saved: the one to its last call is lost by now, however long one waits,
   and if that call is still on its way, the token is better spent by somebody who hears the answer.
3. A flight once begun is never cut. It is a task of its own; whoever asked may go away, and
   shutdown waits for it.
4. The answer is in the journal before anything else is done with it, and in the store before
   anybody is told, if it will have it. What it will not is answered from here, and saved before
   anything new is claimed; after a restart the journal is replayed first.
5. Every write names the version of the tokens it started from. Older ones are refused, so a late
   holder, or a refresh that a reconnect overtook, changes nothing, and re-reads.
6. A dead refresh token is believed only if the store, looked at once more, still has no newer one:
   somebody else may have rotated it, or be about to. The look and the verdict are one write.
7. While a refresh fails for a passing reason the old token is the answer for as long as it lives,
   and the connection is left alone until its next try is due.
8. The background flies a bounded number at a time, and when nothing comes back, or TikTok asks for
   less, it tries one, then two, then four: an outage that ends is not met by everybody at once.
9. Whoever asks comes first. While tokens are being read the background keeps to a few flights, and
   makes up for it as soon as nobody asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from . import schedule
from .clock import Clock
from .errands import Errands, repeated
from .errors import (
    Broken,
    Busy,
    ConnectorError,
    NotFound,
    ReconnectRequired,
    SlowDown,
    TikTokUnreachable,
)
from .flights import Flights
from .journal import Journal
from .model import Kept, Tokens, What
from .saver import Saver, after
from .seal import Seal
from .store import Store
from .transport import DEADLINE

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
LONGEST_CALL = timedelta(seconds=DEADLINE)
PATIENCE = timedelta(seconds=25)
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5
IDLE = 2.0
MOST_AT_ONCE = 768

OVER = (ReconnectRequired, NotFound)

Tell = Callable[[Kept, asyncio.Task[Kept]], None]


@dataclass(frozen=True)
class Working:
    """A connection with a token that works."""

    kept: Kept
    tokens: Tokens


@dataclass(frozen=True)
class Claimed:
    """A connection in hand, and until when."""

    kept: Kept
    until: datetime


class Keeper:
    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        errands: Errands,
        seal: Seal,
        clock: Clock,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._store = store
        self._journal = journal
        self._errands = errands
        self._seal = seal
        self._clock = clock
        self._saver = Saver(store=store, journal=journal, clock=clock, lease=LEASE)
        self._holder = journal.holder
        self._flights = Flights(most_at_once, clock)
        self._waiting: dict[str, Claimed | None] = {}

    # Reading.

    async def fresh(self, kept: Kept | None, *, who: str) -> Working:
        """A token with at least the margin of life left, or the best there is, or why not."""
        self._flights.give_way()
        if kept is None:
            raise NotFound("There is no such connection.")
        kept = self._saver.newest(kept)
        tokens = self._open(kept)
        if schedule.is_fresh(tokens, self._clock.now()):
            return Working(kept, tokens)
        try:
            self._leave_alone(kept)
            kept = await self.refresh(kept, who=who, what="read")
        except ConnectorError as error:
            if isinstance(error, OVER) or not schedule.is_alive(tokens, self._clock.now()):
                raise
            return Working(kept, tokens)
        tokens = self._open(kept)
        if tokens.refresh is not None and not schedule.is_alive(tokens, self._clock.now()):
            raise Busy("The token ran out while it was on its way; try again.", retry_after=1)
        return Working(kept, tokens)

    def check(self, kept: Kept) -> None:
        """Raises if TikTok, or the person, has ended it."""
        if kept.sealed is None or kept.status in ("reconnect_required", "revoked"):
            raise ReconnectRequired(
                "TikTok has ended this connection: connect the account again."
                if kept.status == "reconnect_required"
                else "This connection was disconnected: connect the account again."
            )

    def _open(self, kept: Kept) -> Tokens:
        self.check(kept)
        assert kept.sealed is not None  # noqa: S101
        return self._seal.open(kept.sealed, bound_to=kept.bond)

    def _leave_alone(self, kept: Kept) -> None:
        if kept.failure is not None and (wait := schedule.left(kept.failure, self._clock.now())):
            raise repeated(kept.failure, retry_after=wait)

    # Flying.

    async def refresh(self, kept: Kept, *, who: str, what: What = "refresh") -> Kept:
        """The connection after a refresh (or, where there is none, a probe) begun from `kept`."""
        return await self._flights.join(kept.id, lambda: self._fly(kept, who=who, what=what))

    async def _fly(self, kept: Kept, *, who: str, what: What) -> Kept:
        self._waiting[kept.id] = None
        try:
            mine = await self._compete(kept, what)
        finally:
            del self._waiting[kept.id]
        return (
            await self._carry_out(mine, who=who, what=what) if isinstance(mine, Claimed) else mine
        )

    async def _compete(self, kept: Kept, what: What) -> Claimed | Kept:
        """The lease; or what somebody else, who had it, made of it."""
        give_up_at, pause = self._clock.now() + PATIENCE, FIRST_PAUSE
        mine = await self._claim(kept)
        while mine is None:
            # Looked at before each try: where another has just failed, we would only fail again.
            if (other := await self._overtaken(kept, what)) is not None:
                return other
            if (mine := await self._claim(kept)) is None:
                if self._clock.now() >= give_up_at:
                    raise Busy("Another process is refreshing this connection.", retry_after=5)
                await self._clock.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
        return mine

    async def _claim(self, kept: Kept) -> Claimed | None:
        await self._saver.catch_up()
        if self._saver.holds(kept.id):
            raise Broken("The store refuses the newest tokens of this connection.")
        if (handed_over := self._waiting[kept.id]) is not None:
            return handed_over
        now = self._clock.now()
        claimed = await self._store.claim_refresh(
            kept.id, version=kept.version, holder=self._holder, now=now, until=now + LEASE
        )
        return Claimed(claimed, now + LEASE) if claimed is not None else None

    async def _overtaken(self, kept: Kept, what: What) -> Kept | None:
        """What somebody else made of it meanwhile, if they are through."""
        now_kept = await self._store.read_token(kept.id)
        if now_kept is None:
            raise NotFound("There is no such connection.")
        if now_kept.version != kept.version:
            return now_kept
        if what != "revoke":
            self.check(now_kept)
        if now_kept.failure is not None and now_kept.failure != kept.failure:
            self._leave_alone(now_kept)
        return None

    async def _carry_out(self, claimed: Claimed, *, who: str, what: What) -> Kept:
        kept, by = claimed.kept, claimed.until - LONGEST_CALL
        outcome, ticket, error = await self._errands.run(
            kept, holder=self._holder, who=who, what=what, by=by
        )
        try:
            saved = await self._saver.save(outcome, ticket)
        except ConnectorError as unsaved:
            if outcome.sealed is None:
                raise error or unsaved from None
            saved = True  # It is held here and will be saved; the token itself is good.
        if not saved and (newer := await self._newer(kept)):
            return newer
        if not saved and isinstance(error, ReconnectRequired):
            raise Busy("Another process is refreshing this connection.", retry_after=5)
        if isinstance(error, ReconnectRequired):
            log.warning("reconnect required connection=%s because=%s", kept.id, error.message)
        if error is not None:
            raise error
        return after(kept, outcome)

    async def _newer(self, kept: Kept) -> Kept | None:
        current = await self._store.read_token(kept.id)
        return current if current is not None and current.version != kept.version else None

    # Background.

    async def tend(self, *, who: str = "keeper", tell: Tell | None = None) -> bool:
        """Claims what is due, as far as there is room, and sets it going. True: more may be due.

        `tell` is called with each flight that was begun here, once it has landed.
        """
        await self._saver.catch_up()
        if (most := self._flights.most_to_claim) <= 0:
            return True
        now = self._clock.now()
        due = await self._store.claim_due(
            holder=self._holder, most=most, now=now, until=now + LEASE
        )
        for kept in due:
            claimed = Claimed(kept, now + LEASE)
            if kept.id in self._waiting:
                self._waiting[kept.id] = claimed
            # One whose lease ran out while we ourselves still fly it is left to that flight.
            elif kept.id not in self._flights and not self._saver.holds(kept.id):
                flight = self._flights.depart(kept.id, self._in_background(claimed, who))
                if tell is not None:
                    flight.add_done_callback(partial(tell, kept))
        return len(due) == most

    async def _in_background(self, claimed: Claimed, who: str) -> Kept:
        """What went wrong is raised: a read may have joined the flight, and must not miss it."""
        away = False
        try:
            return await self._carry_out(claimed, who=who, what="refresh")
        except (TikTokUnreachable, SlowDown):
            away = True
            raise
        finally:
            self._flights.slow_down() if away else self._flights.quicken()

    async def run(self) -> None:
        """Tends for as long as it is let. Whatever goes wrong, it goes on."""
        while True:
            more = False
            try:
                more = await self.tend()
            except ConnectorError as error:
                log.warning("could not tend because=%s", error.code)
            except Exception:
                log.exception("tending broke")
            if more:
                await self._flights.until_there_is_room()
            else:
                await self._clock.sleep(IDLE)

    async def settled(self) -> None:
        """Until no flight is in the air."""
        await self._flights.settled()

    # Beginning and end.

    async def replay(self) -> None:
        """Saves what the journal still holds. Should the store be away, it stays first in line."""
        for ticket, entry in self._journal.left():
            if entry.kind == "refresh":
                self._saver.take_over(ticket, entry)
        for ticket, holder in self._journal.dead():
            self._saver.outlived(ticket, holder)
        await self._saver.catch_up()

    async def close(self) -> None:
        await self.settled()
        await self._saver.close()
