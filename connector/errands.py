"""What is done with TikTok for one claimed connection: refresh, probe, revoke.

Each errand ends in one `Outcome`, whatever TikTok said. Only a definite verdict ends a connection:
`ReconnectRequired`, or `TokenRejected` where no refresh can follow. Everything else is weather:
it is written down, and tried again later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from . import schedule
from .clock import Clock
from .errors import (
    Busy,
    ConnectorError,
    JournalUnwritable,
    Misconfigured,
    ReconnectRequired,
    SlowDown,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    TokenRejected,
)
from .journal import Entry, Journal
from .model import Attempt, Failure, Kept, Tokens, What
from .seal import Seal
from .store import Outcome
from .tiktok import Family
from .transport import Transport
from .wire import Call

log = logging.getLogger(__name__)

GIVE_UP_REVOKING = timedelta(days=7)
PASSING: Mapping[str, type[ConnectorError]] = {
    kind.code: kind for kind in (SlowDown, TikTokRefused, Misconfigured, JournalUnwritable)
}

Observe = Callable[[str, Attempt], None]
"""Told of every attempt and its family, to count them."""


def unobserved(_family: str, _attempt: Attempt) -> None:
    pass


class Errands:
    def __init__(
        self,
        *,
        families: Mapping[str, Family],
        transport: Transport,
        journal: Journal,
        seal: Seal,
        clock: Clock,
        probe_every: timedelta,
        chance: Random,
        observe: Observe = unobserved,
    ) -> None:
        self._families = families
        self._transport = transport
        self._journal = journal
        self._seal = seal
        self._clock = clock
        self._probe_every = probe_every
        self._chance = chance
        self._observe = observe

    async def run(
        self, kept: Kept, *, holder: str, who: str, what: What, by: datetime
    ) -> tuple[Outcome, int | None, ConnectorError | None]:
        """The outcome, the journal's ticket where it holds new tokens, and what went wrong.

        After `by` no refresh token is sent any more: Busy, and there is nothing to save.
        """
        ended = await self._run(_Errand(kept, holder, who, what, by, self._clock))
        if ended[0].attempt is not None:
            self._observe(kept.family, ended[0].attempt)
        return ended

    async def _run(self, errand: _Errand) -> tuple[Outcome, int | None, ConnectorError | None]:
        kept = errand.kept
        try:
            family = self._families.get(kept.family)
            if family is None:
                raise Misconfigured(f"The TikTok app for {kept.family} is not configured.")
            tokens = self._tokens(kept)
            if kept.status == "revoked":
                errand.what = "revoke"
                return await self._revoke(errand, family, tokens), None, None
            call = family.refresh(tokens)
            if call is None:
                errand.what = "probe"
                return await self._probe(errand, family, tokens), None, None
            outcome, ticket = await self._refresh(errand, call)
            return outcome, ticket, None
        except Busy:
            raise
        except ConnectorError as error:
            return self._failed(errand, error), None, error

    def _tokens(self, kept: Kept) -> Tokens:
        if kept.sealed is None:
            raise ReconnectRequired("There is no token any more: connect TikTok again.")
        return self._seal.open(kept.sealed, bound_to=kept.bond)

    async def _refresh(self, errand: _Errand, call: Call[Tokens]) -> tuple[Outcome, int | None]:
        async with self._journal.room():
            now = self._clock.now()
            if now > errand.by:
                raise Busy("This refresh was held up too long; try again shortly.", retry_after=5)
            try:
                tokens = await self._transport.ask(call)
            except TokenRejected as error:
                raise ReconnectRequired(error.message, said=error.said) from error
            tokens = replace(tokens, issued_at=now)
            outcome = errand.ended(
                status="active",
                sealed=self._seal.seal(tokens, bound_to=errand.kept.bond),
                expires_at=tokens.expires_at,
                refresh_expires_at=tokens.refresh_expires_at,
                verified_at=now,
                due_at=schedule.next_due(
                    tokens, now, probe_every=self._probe_every, chance=self._chance
                ),
                event=_recovery(errand.kept),
            )
            return outcome, await self._write_down(outcome)

    async def _write_down(self, outcome: Outcome) -> int | None:
        try:
            return await self._journal.write(Entry("refresh", outcome.written))
        except JournalUnwritable:
            # The old token is spent, so this one must live: the store is the only place left.
            log.exception("journal refused a fresh token connection=%s", outcome.id)
            return None

    async def _probe(self, errand: _Errand, family: Family, tokens: Tokens) -> Outcome:
        now = self._clock.now()
        try:
            accounts = await self._transport.ask(
                family.accounts(tokens, subject=errand.kept.subject)
            )
        except TokenRejected as error:
            raise ReconnectRequired(error.message, said=error.said) from error
        return errand.ended(
            status="active",
            verified_at=now,
            due_at=schedule.next_probe(now, self._probe_every, self._chance),
            accounts=accounts,
            event=_recovery(errand.kept),
        )

    async def _revoke(self, errand: _Errand, family: Family, tokens: Tokens) -> Outcome:
        try:
            await self._transport.ask(family.revoke(tokens))
        except (TokenRejected, ReconnectRequired):
            log.info("was already revoked connection=%s", errand.kept.id)
        return errand.ended(status="revoked", forget=True)

    def _failed(self, errand: _Errand, error: ConnectorError) -> Outcome:
        kept, now = errand.kept, self._clock.now()
        failure = self._failure(errand, error)
        if kept.status == "revoked":
            if now - failure.since > GIVE_UP_REVOKING:
                return errand.ended(status="revoked", forget=True, error=error)
            return errand.ended(
                status="revoked", failure=failure, due_at=failure.again_at, error=error
            )
        if isinstance(error, ReconnectRequired):
            return errand.ended(
                status="reconnect_required",
                failure=failure.model_copy(update={"again_at": None}),
                event="reconnect_required",
                error=error,
            )
        # A probe that could not be made says nothing about the token; a refresh that failed does
        # not either, but the token it would have replaced is running out.
        status = kept.status if errand.what == "probe" else "refresh_failing"
        log.info("failed for now connection=%s what=%s code=%s", kept.id, errand.what, failure.code)
        return errand.ended(status=status, failure=failure, due_at=failure.again_at, error=error)

    def _failure(self, errand: _Errand, error: ConnectorError) -> Failure:
        now, earlier = self._clock.now(), errand.kept.failure
        times = earlier.times + 1 if earlier else 1
        return Failure(
            code=error.code,
            message=_told(errand.kept, error),
            since=earlier.since if earlier else now,
            times=times,
            again_at=schedule.retry_at(now, times, self._chance, told=error.retry_after),
        )


class _Errand:
    """One flight's particulars, and how its outcome is worded."""

    def __init__(
        self, kept: Kept, holder: str, who: str, what: What, by: datetime, clock: Clock
    ) -> None:
        self.kept = kept
        self.what = what
        self.by = by
        self._holder = holder
        self._who = who
        self._clock = clock
        self._began = clock.ticks()

    def ended(self, *, error: ConnectorError | None = None, **what_changed: object) -> Outcome:
        return Outcome.model_validate(
            {
                "id": self.kept.id,
                "version": self.kept.version,
                "holder": self._holder,
                "attempt": self._attempt(error),
                **what_changed,
            }
        )

    def _attempt(self, error: ConnectorError | None) -> Attempt:
        return attempt(
            self.what,
            who=self._who,
            clock=self._clock,
            began=self._began,
            error=error,
            message=_told(self.kept, error) if error else "",
        )


def attempt(
    what: What,
    *,
    who: str,
    clock: Clock,
    began: float,
    error: ConnectorError | None = None,
    message: str = "",
) -> Attempt:
    said = error.said if isinstance(error, TikTokError) else None
    return Attempt(
        at=clock.now(),
        what=what,
        who=who,
        verdict=error.code if error else "ok",
        code=str(said.code) if said and said.code is not None else None,
        message=message or (error.message if error else ""),
        request_id=said.request_id if said else None,
        took_ms=round((clock.ticks() - began) * 1000),
    )


def repeated(failure: Failure, *, retry_after: float) -> ConnectorError:
    """What went wrong then, for whoever asks before it is tried again."""
    kind = PASSING.get(failure.code, TikTokUnreachable)
    return kind(f"The token could not be refreshed: {failure.message}", retry_after=retry_after)


def _recovery(kept: Kept) -> str | None:
    return "recovered" if kept.status == "refresh_failing" else None


def _told(kept: Kept, error: ConnectorError) -> str:
    if isinstance(error, TikTokUnreachable) and error.said is None:
        return f"{error.message} If TikTok did act, its answer was lost on the way."
    if isinstance(error, ReconnectRequired) and kept.failure is not None:
        return f"{error.message} Before this, an attempt failed with {kept.failure.code}."
    return error.message
