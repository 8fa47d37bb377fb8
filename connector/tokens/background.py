"""Refreshes and probes all due connections while the service runs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from connector.clock import Clock
from connector.concurrency import sleep_until
from connector.errors import ConnectorError, RateLimited, TikTokUnreachable
from connector.model import StoredTokens

from .leases import RefreshLeases
from .refresher import RefreshResult, TokenRefresher

log = logging.getLogger(__name__)

ACTOR = "background"
IDLE_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class StartedRefresh:
    stored: StoredTokens
    """The row before the refresh."""

    task: asyncio.Task[RefreshResult]
    """The `TokenRefresher` owns the task. Never cancel it, and await it only shielded."""


@dataclass(frozen=True)
class BatchResult:
    started: tuple[StartedRefresh, ...]
    more_due: bool
    """True if the batch was full, so more connections may be due."""


class BackgroundRefresher:
    def __init__(self, *, refresher: TokenRefresher, leases: RefreshLeases, clock: Clock) -> None:
        self._refresher = refresher
        self._limit = refresher.background_limit
        self._leases = leases
        self._clock = clock

    async def run_batch(self, *, actor: str = ACTOR) -> BatchResult:
        """Leases due connections, up to the limit, and starts a refresh of each."""
        max_rows = self._limit.batch_size
        if max_rows <= 0:
            return BatchResult(started=(), more_due=True)
        leases = await self._leases.lease_due(max_rows)
        started = []
        for lease in leases:
            task = self._refresher.start_with_lease(lease, actor=actor)
            if task is not None:
                task.add_done_callback(self._adjust_limit)
                started.append(StartedRefresh(lease.stored, task))
        return BatchResult(tuple(started), more_due=len(leases) == max_rows)

    def _adjust_limit(self, task: asyncio.Task[RefreshResult]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, TikTokUnreachable | RateLimited):
            self._limit.reset_to_one()
        else:
            self._limit.record_completion()

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Runs batches until the event is set. An error in a batch does not end the loop.

        Never cancel this task: the store may have leased connections although its response is not here yet.
        """
        while not stopped.is_set():
            more_due = False
            try:
                more_due = (await self.run_batch()).more_due
            except ConnectorError as error:
                log.warning("background refresh batch failed error=%s", error.code)
            except Exception:
                log.exception("unexpected error in background refresh")
            if more_due:
                await self._limit.wait_for_capacity()
            else:
                await sleep_until(stopped, clock=self._clock, max_seconds=IDLE_POLL_SECONDS)
