"""Records who read or changed what, without delaying a request.

`record` only puts an entry into a queue in memory. A separate task writes the queue to the database every half
second, and `close` writes the rest. A kill may lose that last second. While the database is unreachable, the
queue grows up to a limit; entries over the limit are dropped, counted and logged.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from itertools import count, islice

from .clock import Clock
from .errors import ConnectorError, InternalError
from .model import UserId
from .store import AuditAction, AuditEntry, Store

log = logging.getLogger(__name__)

WRITE_INTERVAL_SECONDS = 0.5
CLOSE_TIMEOUT_SECONDS = 5.0
BATCH_SIZE = 2000
"""Large, because each batch writes the pages of the index by user again, in random order."""

MAX_QUEUED = 20_000


class AuditLog:
    def __init__(self, *, store: Store, clock: Clock, on_dropped: Callable[[int], None]) -> None:
        """`on_dropped` is called with the number of entries that were lost."""
        self._store = store
        self._clock = clock
        self._on_dropped = on_dropped
        self._queue: deque[AuditEntry] = deque()
        self._process = secrets.token_hex(4)
        self._sequence = count()
        self._dropped = 0
        self._write_lock = asyncio.Lock()

    def record(
        self,
        action: AuditAction,
        *,
        actor: str,
        connection_id: str | None = None,
        user_id: UserId | None = None,
        request_id: str | None = None,
        peer: str | None = None,
    ) -> None:
        if len(self._queue) >= MAX_QUEUED:
            self._drop(1)
            return
        self._queue.append(
            AuditEntry(
                at=self._clock.now(),
                id=f"{self._process}-{next(self._sequence):08x}",
                actor=actor,
                action=action,
                connection_id=connection_id,
                user_id=user_id,
                request_id=request_id,
                peer=peer,
            )
        )

    async def run_forever(self) -> None:
        while True:
            await self._clock.sleep(WRITE_INTERVAL_SECONDS)
            try:
                await self.write()
            except ConnectorError as error:
                log.warning("audit postponed queued=%d error=%s", len(self._queue), error.code)
            except Exception:
                log.exception("unexpected error in the audit")

    async def write(self) -> None:
        """Writes all queued entries. An entry leaves the queue after the database has it."""
        async with self._write_lock:
            while batch := list(islice(self._queue, BATCH_SIZE)):
                await self._write_batch(batch)
        if self._dropped:
            log.warning("audit entries were dropped count=%d", self._dropped)
            self._dropped = 0

    async def close(self) -> None:
        """Writes the rest, for a limited time: a process that stops must not wait for a database that hangs."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self.write()
        except (ConnectorError, TimeoutError) as error:
            log.warning("audit entries lost at the end count=%d error=%r", len(self._queue), error)
            self._on_dropped(len(self._queue))

    async def _write_batch(self, batch: list[AuditEntry]) -> None:
        try:
            await self._store.add_audit_entries(batch)
        except InternalError:
            # The database refuses this batch for good, and would refuse it again.
            self._remove(batch)
            self._drop(len(batch))
            raise
        self._remove(batch)

    def _remove(self, batch: list[AuditEntry]) -> None:
        for _ in batch:
            self._queue.popleft()

    def _drop(self, number: int) -> None:
        if self._dropped == 0:
            log.warning("audit entries are dropped until the database accepts them")
        self._dropped += number
        self._on_dropped(number)
