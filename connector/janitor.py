"""What is done now and then: grants brought over that the store missed, old lines tidied away."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from .clock import Clock
from .errors import ConnectorError
from .exchange import Exchange
from .store import Store

log = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
TIDY_EVERY = timedelta(hours=1)
KEEP_ATTEMPTS = 50
KEEP_AT_LEAST = timedelta(hours=24)
"""Attempts so young stay even beyond the fifty: the picture of the last day is drawn from them."""
KEEP_EVENTS = timedelta(days=30)


class Janitor:
    def __init__(self, *, exchange: Exchange, store: Store, clock: Clock) -> None:
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._tidy_at: datetime | None = None

    async def make_round(self) -> None:
        await self._exchange.catch_up()
        now = self._clock.now()
        if self._tidy_at is None or now >= self._tidy_at:
            await self._tidy(now)

    async def _tidy(self, now: datetime) -> None:
        # Before it is tried: what fails would else be tried again in every round.
        self._tidy_at = now + TIDY_EVERY
        unfinished = await self._store.tidy(
            before=now - KEEP_AT_LEAST, keep=KEEP_ATTEMPTS, told_before=now - KEEP_EVENTS
        )
        if unfinished:
            self._tidy_at = now

    async def run(self) -> None:
        while True:
            try:
                await self.make_round()
            except ConnectorError as error:
                log.warning("round not finished because=%s", error.code)
            except Exception:
                log.exception("round broke")
            await self._clock.sleep(ROUND_SECONDS)
