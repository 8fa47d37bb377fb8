"""Gives committed events their numbers, which also queues their deliveries.

Every replica does this; the database lets one at a time. An event that this process has written is numbered at once,
other events within a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from connector.clock import Clock
from connector.concurrency import sleep_until
from connector.errors import ConnectorError
from connector.metrics import Metrics
from connector.store import Store

from .last_seq import LastSeq

log = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS = 0.2
POLL_SECONDS = 1.0
MAX_ERROR_PAUSE_SECONDS = 5.0


class EventNumbering:
    def __init__(
        self,
        *,
        store: Store,
        last_seq: LastSeq,
        metrics: Metrics,
        clock: Clock,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        """`prepare` runs once before the first number, and is repeated until it succeeds."""
        self._store = store
        self._last_seq = last_seq
        self._metrics = metrics
        self._clock = clock
        self._prepare = prepare
        self._prepared = False
        self._has_new_events = False

    async def run_once(self) -> bool:
        """Numbers all events that are committed. Returns True if a delivery is due."""
        if not self._prepared:
            await self._prepare()
            self._prepared = True
        # Cleared before the call: an event that is written during the call sets it again.
        self._store.event_written.clear()
        self._has_new_events = False
        while True:
            result = await self._store.number_events(now=self._clock.database_time())
            self._has_new_events |= result.numbered > 0
            self._last_seq.advance(result.last_seq)
            self._metrics.set_last_event(result.last_seq)
            # Nothing is numbered while another process has the lock of the database.
            if not result.more_left or not result.numbered:
                return result.deliveries_due

    async def run_until(self, stopping: asyncio.Event, on_due: Callable[[], None]) -> None:
        """To end the loop at once, set `event_written` after `stopping`."""
        failures = 0
        while not stopping.is_set():
            try:
                if await self.run_once():
                    on_due()
                failures = 0
            except ConnectorError as error:
                failures += 1
                log.warning("events not numbered error=%s", error.code)
            except Exception:
                failures += 1
                log.exception("unexpected error in the numbering of events")
            await self._pause(stopping, failures)

    async def _pause(self, stopping: asyncio.Event, failures: int) -> None:
        if failures:
            seconds = min(POLL_SECONDS * 2 ** (failures - 1), MAX_ERROR_PAUSE_SECONDS)
            await sleep_until(stopping, clock=self._clock, max_seconds=seconds)
            return
        await sleep_until(stopping, clock=self._clock, max_seconds=MIN_INTERVAL_SECONDS)
        # While events come, each round has few of them, so that their deliveries do not delay requests.
        if stopping.is_set() or self._has_new_events:
            return
        await sleep_until(
            self._store.event_written,
            clock=self._clock,
            max_seconds=POLL_SECONDS - MIN_INTERVAL_SECONDS,
        )
