"""Delivers the due events to the endpoints, at least once.

1. Deliveries are leased for 30 seconds. One is sent only while at least 16 seconds of its lease are left, and a
   request takes at most 15 seconds. So no second process sends the delivery at the same time, and a limit of open
   requests to an endpoint is a limit in all processes.
2. The next deliveries are leased while the deliveries of the last lease are being sent.
3. A result that cannot be stored is kept, and nothing more is leased or sent until it is stored. If the process dies
   before, the lease ends and the event is sent again, with the same `webhook-id`.
4. Shutdown sends nothing more, waits for the open requests, stores their results and releases the other leases.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from connector.clock import Clock
from connector.concurrency import scoped_task, sleep_until
from connector.encryption import DecryptionFailed
from connector.errors import ConnectorError
from connector.metrics import Metrics
from connector.store import ERRORS_OF_ONE_ITEM, DeliveryResult, Store

from .delivery_queues import DeliveryQueues, NextDelivery
from .numbering import EventNumbering
from .sender import DeliverySender

log = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
MIN_LEASE_LEFT_SECONDS = 16.0
MAX_LEASED = 2048
MAX_ROWS_PER_LEASE = 500
"""PostgREST returns at most 1,000 rows. What it does not return would stay leased."""

FAST_SECONDS = 1.0
MAX_SETTLED = 200
COLLECT_SECONDS = 0.02
"""Results are collected for this long, because each call of the store has a fixed cost."""

PAUSE_DURING_READS_SECONDS = 0.005
"""While tokens are read, deliveries are spread over time, because each takes as much CPU time as two reads."""

ERROR_PAUSE_SECONDS = 1.0
DISABLE_AFTER_SECONDS = 5 * 24 * 3600.0


@dataclass(frozen=True)
class _UnsettledResult:
    endpoint_id: str
    result: DeliveryResult


class Dispatcher:
    def __init__(
        self,
        *,
        store: Store,
        numbering: EventNumbering,
        sender: DeliverySender,
        metrics: Metrics,
        clock: Clock,
        has_foreground_requests: Callable[[], bool],
    ) -> None:
        self._store = store
        self.numbering = numbering
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._has_foreground_requests = has_foreground_requests
        self._lease_owner = secrets.token_hex(8)
        self._queues = DeliveryQueues()
        self._unsettled: list[_UnsettledResult] = []
        self._requests: set[asyncio.Task[None]] = set()
        self._lease_wanted = False
        self._leased_at = 0.0
        self._settling_fails = False
        self._may_have_leases = False
        self._work = asyncio.Event()
        """Set when there is something to settle or to lease."""

        self._stopping = asyncio.Event()

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Never cancel this task: a request may be open whose result must be stored."""
        numbering = self.numbering.run_until(self._stopping, self.request_lease)
        async with scoped_task(numbering) as numbering_task, scoped_task(self._run()) as task:
            await stopped.wait()
            self._stopping.set()
            self._queues.discard_waiting()
            self._store.event_written.set()
            self._work.set()
            await asyncio.gather(numbering_task, task)
        await self._finish()

    def request_lease(self) -> None:
        self._lease_wanted = True
        self._work.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._work.wait()
            self._work.clear()
            try:
                await self.settle_and_lease()
            except ConnectorError as error:
                log.warning("deliveries postponed error=%s", error.code)
                await self._pause_after_error()
            except Exception:
                log.exception("unexpected error in the dispatcher")
                await self._pause_after_error()

    async def _pause_after_error(self) -> None:
        await sleep_until(self._stopping, clock=self._clock, max_seconds=ERROR_PAUSE_SECONDS)
        self._work.set()

    async def settle_and_lease(self) -> None:
        """One round: stores the results so far, and leases and sends what is due."""
        if self._requests and not self._lease_wanted:
            await asyncio.sleep(COLLECT_SECONDS)
        await self._settle()
        if self._stopping.is_set():
            return
        if self._queues.needs_more():
            if self._clock.ticks() - self._leased_at < FAST_SECONDS:
                self._queues.raise_limit()
            self._lease_wanted = True
        if self._lease_wanted:
            await self._lease()

    @property
    def has_requests(self) -> bool:
        return bool(self._requests)

    async def wait_for_requests(self) -> None:
        while self._requests:
            await asyncio.wait(list(self._requests))

    async def _lease(self) -> None:
        max_rows = min(MAX_LEASED - self._queues.leased, MAX_ROWS_PER_LEASE)
        if max_rows <= 0:
            return
        # Both are set before the call. So the lease cannot end earlier than this process assumes, and a request for a
        # lease that arrives during the call is not forgotten.
        leased_at = self._clock.ticks()
        self._lease_wanted, self._may_have_leases = False, True
        try:
            deliveries = await self._store.lease_due_deliveries(
                lease_owner=self._lease_owner,
                max_rows=max_rows,
                max_per_endpoint=self._queues.max_per_endpoint,
                lease_seconds=LEASE_SECONDS,
                now=self._clock.database_time(),
            )
        except ConnectorError:
            self._lease_wanted = True
            raise
        if self._stopping.is_set():
            return
        self._leased_at = leased_at
        self._queues.add(
            deliveries,
            send_before=leased_at + LEASE_SECONDS - MIN_LEASE_LEFT_SECONDS,
            all_due=len(deliveries) < max_rows,
        )
        self._start_requests()

    def _start_requests(self) -> None:
        while taken := self._take():
            task = asyncio.create_task(self._send_from(taken))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)

    def _take(self) -> NextDelivery | None:
        if self._stopping.is_set() or self._settling_fails:
            return None
        return self._queues.take(now=self._clock.ticks())

    async def _send_from(self, first: NextDelivery) -> None:
        """Sends one delivery after another: the end of a request allows one more request."""
        taken: NextDelivery | None = first
        while taken is not None:
            await self._send(taken)
            if self._has_foreground_requests():
                await asyncio.sleep(PAUSE_DURING_READS_SECONDS)
            taken = self._take()

    async def _send(self, taken: NextDelivery) -> None:
        endpoint_id = taken.delivery.endpoint_id
        result = await self._result_of(taken)
        self._queues.finish(taken, delivered=result is not None and result.state == "delivered")
        if result is None:
            # Another process may have the key. It can send the delivery when the lease has ended.
            self._queues.forget(endpoint_id)
            return
        self._metrics.record_delivery(result)
        if result.endpoint_gone:
            self._queues.discard_waiting(endpoint_id)
        self._unsettled.append(_UnsettledResult(endpoint_id, result))
        self._work.set()

    async def _result_of(self, taken: NextDelivery) -> DeliveryResult | None:
        try:
            return await self._sender.send(taken.delivery)
        except DecryptionFailed:
            return None
        except Exception:
            log.exception("unexpected error in a delivery id=%d", taken.delivery.id)
            return None

    async def _settle(self) -> None:
        """Stores the results that exist now. Results that arrive meanwhile belong to the next round."""
        waiting = len(self._unsettled)
        while waiting > 0:
            batch = self._unsettled[: min(waiting, MAX_SETTLED)]
            await self._settle_batch(batch)
            del self._unsettled[: len(batch)]
            for unsettled in batch:
                self._queues.forget(unsettled.endpoint_id)
            waiting -= len(batch)

    async def _settle_batch(self, batch: list[_UnsettledResult]) -> None:
        try:
            await self._store_results(batch)
        except ERRORS_OF_ONE_ITEM:
            for unsettled in batch:
                await self._settle_single(unsettled)
        except ConnectorError:
            self._settling_fails = True
            raise
        if self._settling_fails:
            self._settling_fails = False
            self._start_requests()

    async def _settle_single(self, unsettled: _UnsettledResult) -> None:
        try:
            await self._store_results([unsettled])
        except ERRORS_OF_ONE_ITEM as error:
            # The database would refuse the result again. The delivery is repeated when its lease has ended.
            log.error("delivery not settled id=%d error=%s", unsettled.result.id, error.code)

    async def _store_results(self, batch: list[_UnsettledResult]) -> None:
        disabled = await self._store.settle_deliveries(
            [unsettled.result for unsettled in batch],
            lease_owner=self._lease_owner,
            disable_after_seconds=DISABLE_AFTER_SECONDS,
            now=self._clock.database_time(),
        )
        for endpoint_id in disabled:
            self._queues.discard_waiting(endpoint_id)
            self._metrics.record_disabled_endpoint()
            # The event endpoint.disabled is numbered at once.
            self._store.event_written.set()
            log.warning("endpoint disabled endpoint_id=%s", endpoint_id)

    async def _finish(self) -> None:
        await self.wait_for_requests()
        try:
            await self._settle()
            if self._may_have_leases:
                await self._store.release_deliveries(
                    lease_owner=self._lease_owner, now=self._clock.database_time()
                )
        except ConnectorError as error:
            log.warning(
                "deliveries not settled at shutdown count=%d error=%s",
                len(self._unsettled),
                error.code,
            )
