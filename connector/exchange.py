"""From an authorization code to a connection.

A code can be spent once, and a grant that was given must not be lost, so each step is written down
before the next is taken:

- The code is claimed in the store. That proves the store alive before the code is burnt, and lets
  every other POST of the same code and state find the first one's answer.
- The claim is noted in the journal and room proven there, the code exchanged, the grant journaled;
  only then is anything else asked. Killed before the grant was written, we free the claim at the
  next start; killed after, we go on with it.
- A grant stays in the journal until it is a connection, or never can be. While the advertisers
  cannot be had it also waits in the claim: a repeated POST goes on from there, and if none comes,
  so do we. While the store is away it is brought over before anything else is claimed.
- Only an answer that will stay true is kept as the answer: success, a spent code, no ad account.
  Anything passing frees the claim, and so does a bug of ours: what was given is gone on with.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from .answers import is_final, refusal, replayed
from .backlog import Backlog
from .clock import Clock
from .connecting import Connecting
from .errands import Observe, attempt, unobserved
from .errors import (
    Broken,
    Busy,
    CodeSpent,
    ConnectorError,
    InvalidRequest,
    StoreUnreachable,
    TikTokUnreachable,
)
from .grants import Held, Presented, noted, opened, written
from .intent import Brake
from .journal import Entry, Journal
from .model import Attempt, Grant, Intent, Sealed
from .seal import Seal
from .store import Answer, Claim, Store
from .tiktok import Family
from .transport import Transport

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=75)
PATIENCE = timedelta(seconds=50)
FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0

IF_USED = "If TikTok then says that the code is used, connect again."


class Exchange:
    def __init__(
        self,
        *,
        families: Mapping[str, Family],
        transport: Transport,
        store: Store,
        journal: Journal,
        seal: Seal,
        clock: Clock,
        connecting: Connecting,
        observe: Observe = unobserved,
    ) -> None:
        self._families = families
        self._transport = transport
        self._store = store
        self._journal = journal
        self._seal = seal
        self._clock = clock
        self._connecting = connecting
        self._observe = observe
        self._flights: dict[str, asyncio.Task[Answer]] = {}
        self._backlog = Backlog(store=store, journal=journal, clock=clock)
        self._brake = Brake(clock)

    async def exchange(self, code: str, *, state: str, intent: Intent, who: str) -> Answer:
        """The first one's answer, however often and wherever the same code and state are posted."""
        if intent.family not in self._families:
            raise InvalidRequest(f"The TikTok app for {intent.family} is not configured here.")
        key = hashlib.sha256(f"{code}\n{state}".encode()).hexdigest()
        flight = self._flights.get(key)
        if flight is None:
            presented = Presented(key, intent, who, self._clock.ticks(), uuid.uuid4().hex)
            flight = self._depart(key, self._fly(presented, code))
        # What was begun is finished even if the browser goes away: the code is spent by then.
        return dict(await asyncio.shield(flight))

    def _depart(self, key: str, flight: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = self._flights[key] = asyncio.create_task(flight)
        task.add_done_callback(lambda done: self._land(key, done))
        return task

    def _land(self, key: str, flight: asyncio.Task[Answer]) -> None:
        self._flights.pop(key, None)
        error = None if flight.cancelled() else flight.exception()
        if isinstance(error, ConnectorError):
            log.info("no connection yet because=%s", error.code)
        elif error is not None:
            log.error("exchange broke", exc_info=error)

    async def close(self) -> None:
        while self._flights:
            await asyncio.wait(list(self._flights.values()))

    # One code's way.

    async def _fly(self, presented: Presented, code: str) -> Answer:
        await self._backlog.bring_over()
        claim = await self._claim_in_time(presented)
        if claim.answer is not None:
            return replayed(claim.answer)
        if claim.sealed is not None:
            held = self._backlog.take(presented.key)
            return await self._complete(presented, claim, claim.sealed, held)
        return await self._spend(presented, claim, code)

    async def _claim_in_time(self, presented: Presented) -> Claim:
        give_up_at, pause = self._clock.now() + PATIENCE, FIRST_PAUSE
        while self._clock.now() < give_up_at:
            claim = await self._claim(presented)
            if claim.mine or claim.answer is not None:
                return claim
            await self._clock.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)
        raise Busy("This code is being exchanged at this moment; try again shortly.", retry_after=5)

    async def _claim(self, presented: Presented) -> Claim:
        now = self._clock.now()
        try:
            return await self._store.claim_code(
                presented.key,
                user_id=presented.intent.user_id,
                family=presented.intent.family,
                holder=presented.holder,
                now=now,
                until=now + LEASE,
            )
        except StoreUnreachable:
            # It may have been granted, and only the answer lost.
            self._backlog.give_back(presented)
            raise

    async def _spend(self, presented: Presented, claim: Claim, code: str) -> Answer:
        held: Held | None = None
        try:
            self._brake.check(presented.intent)
            async with self._journal.room(noted(presented)):
                grant = await self._ask(presented, code)
                entry = written(self._seal, grant, presented)
                held = Held(entry, await self._write_down(entry))
        except Exception as caught:
            error = _named(caught)
            if held is None:
                await self._let_go(presented, error)
                raise error from None
        return await self._complete(presented, claim, held.sealed, held, grant)

    async def _ask(self, presented: Presented, code: str) -> Grant:
        intent = presented.intent
        call = self._families[intent.family].exchange(code, redirect_uri=intent.redirect_uri)
        try:
            grant = await self._transport.ask(call)
        except CodeSpent:
            self._brake.refused(intent)
            raise
        except TikTokUnreachable as error:
            told = f"{error.message} {IF_USED}"
            raise type(error)(told, said=error.said, retry_after=error.retry_after) from None
        return replace(grant, tokens=replace(grant.tokens, issued_at=self._clock.now()))

    async def _let_go(self, presented: Presented, error: ConnectorError) -> None:
        try:
            await self._settle(presented, error)
        except Exception as failed:
            _named(failed)
            self._backlog.give_back(presented)

    async def _write_down(self, entry: Entry) -> int | None:
        try:
            return await self._journal.write(entry)
        except Exception:
            # The code is spent: going on is the only way left to keep what it gave.
            log.exception("journal refused a fresh grant")
            return None

    async def _complete(
        self,
        presented: Presented,
        claim: Claim,
        envelope: Sealed,
        held: Held | None,
        grant: Grant | None = None,
    ) -> Answer:
        """`held` is None where another process's journal has the grant; `grant` saves opening it."""
        try:
            grant = grant or opened(self._seal, envelope, presented.key)
            answer = await self._connecting.connect(presented, claim, grant)
        except Exception as caught:
            error = _named(caught)
            await self._put_aside(presented, error, envelope, held)
            raise error from None
        if held is not None:
            await self._backlog.clear(held.ticket)
        self._observe(presented.intent.family, self._attempted(presented))
        return answer

    async def _put_aside(
        self, presented: Presented, error: ConnectorError, envelope: Sealed, held: Held | None
    ) -> None:
        try:
            await self._settle(presented, error, envelope)
        except Exception as failed:
            _named(failed)
            if held is not None:
                self._backlog.missed(held)
        else:
            if held is not None:
                await self._backlog.failed(held, for_good=is_final(error))

    async def _settle(
        self, presented: Presented, error: ConnectorError, envelope: Sealed | None = None
    ) -> None:
        final, tried = is_final(error), self._attempted(presented, error)
        self._observe(presented.intent.family, tried)
        await self._store.settle_code(
            presented.key,
            holder=presented.holder,
            sealed=None if final else envelope,
            answer=refusal(error) if final else None,
            attempt=tried,
            now=self._clock.now(),
        )

    def _attempted(self, presented: Presented, error: ConnectorError | None = None) -> Attempt:
        who, began = presented.who, presented.began
        return attempt("exchange", who=who, clock=self._clock, began=began, error=error)

    # After a crash, or when the store was away.

    @property
    def behind(self) -> int:
        """Grants that the store does not have."""
        return self._backlog.unsaved

    async def replay(self) -> None:
        """Brings over what the journal still holds. Should the store be away, it stays in line."""
        await self._backlog.replay()

    async def catch_up(self) -> None:
        """What the store missed, and what nobody posts again; one by one, as TikTok may be unwell."""
        await self._backlog.bring_over()
        for held in self._backlog.due():
            if held.key not in self._flights:
                await asyncio.wait([self._depart(held.key, self._go_on(held))])

    async def _go_on(self, held: Held) -> Answer:
        presented, envelope = self._backlog.read(held)
        try:
            claim = await self._claim(presented)
        except StoreUnreachable:
            raise
        except Exception:
            await self._backlog.failed(held, for_good=False)
            raise
        if not claim.mine and claim.answer is None:
            raise Busy("This code is being exchanged at this moment.", retry_after=5)
        self._backlog.take(presented.key)
        if claim.answer is not None:
            await self._backlog.clear(held.ticket)
            return replayed(claim.answer)
        return await self._complete(presented, claim, envelope, held)


def _named(error: Exception) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    log.error("exchange broke", exc_info=error)
    return Broken("Something broke here, and it has been written down. Try again later.")
