"""Decides which leased delivery is sent next. No I/O.

Each endpoint has its own queue, and the endpoints take turns. So an endpoint that does not answer does not delay
the others: it has at most 8 open requests, and all failing endpoints together have at most half of the open
requests of the process. A delivery whose lease ends too soon is not sent: another process may have it by then.

A lease of many deliveries costs less than many small leases, but a slow endpoint cannot take many before the lease
ends, and the rest would wait for its end. So the limit grows while endpoints are fast, and falls when one is slow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.store import LeasedDelivery

MAX_OPEN_PER_ENDPOINT = 8
MIN_LEASED_PER_ENDPOINT, MAX_LEASED_PER_ENDPOINT = 64, 256
MAX_OPEN = 256
MAX_OPEN_FAILING = MAX_OPEN // 2


@dataclass
class EndpointQueue:
    endpoint_id: str
    waiting: deque[tuple[float, LeasedDelivery]] = field(default_factory=deque)
    """Each delivery with the time, in ticks, after which it must not be sent."""

    open: int = 0
    leased: int = 0
    """Deliveries that are leased by this process: waiting, open, or without a stored result."""

    failing: bool = False
    may_have_more: bool = False
    """True if the last lease may have left due deliveries of this endpoint."""

    in_turn: bool = False


@dataclass(frozen=True)
class NextDelivery:
    queue: EndpointQueue
    delivery: LeasedDelivery
    counts_as_failing: bool


class DeliveryQueues:
    def __init__(self) -> None:
        self.max_per_endpoint = MIN_LEASED_PER_ENDPOINT
        """The limit for the next lease."""

        self._queues: dict[str, EndpointQueue] = {}
        self._turns: deque[EndpointQueue] = deque()
        self._failing_turns: deque[EndpointQueue] = deque()
        self.open = 0
        self.open_failing = 0
        self.leased = 0

    def add(
        self, deliveries: Iterable[LeasedDelivery], *, send_before: float, all_due: bool
    ) -> None:
        """Adds the result of a lease. `all_due` is False if the lease has reached its limit of rows."""
        for delivery in deliveries:
            queue = self._queues.get(delivery.endpoint_id)
            if queue is None:
                queue = self._queues[delivery.endpoint_id] = EndpointQueue(delivery.endpoint_id)
            queue.waiting.append((send_before, delivery))
            queue.leased += 1
            self.leased += 1
            self._give_turn(queue)
        for queue in self._queues.values():
            queue.may_have_more = not all_due or queue.leased >= self._max_leased(queue)

    def take(self, *, now: float) -> NextDelivery | None:
        """Returns the next delivery that may be sent now. `finish` must follow."""
        while queue := self._next_turn():
            queue.in_turn = False
            delivery = self._take_from(queue, now=now)
            if delivery is None:
                continue
            queue.open += 1
            self.open += 1
            self.open_failing += queue.failing
            taken = NextDelivery(queue, delivery, counts_as_failing=queue.failing)
            self._give_turn(queue)
            return taken
        return None

    def finish(self, taken: NextDelivery, *, delivered: bool) -> None:
        """The request is no longer open. Its delivery stays leased until `forget`."""
        taken.queue.open -= 1
        taken.queue.failing = not delivered
        self.open -= 1
        self.open_failing -= taken.counts_as_failing
        self._give_turn(taken.queue)

    def forget(self, endpoint_id: str) -> None:
        """The lease of one delivery of this endpoint has ended, or its end is not waited for."""
        self._queues[endpoint_id].leased -= 1
        self.leased -= 1

    def discard_waiting(self, endpoint_id: str | None = None) -> None:
        """Discards the deliveries that are not sent yet, of one endpoint or of all. Their leases end later."""
        for queue in self._queues.values():
            if endpoint_id in (None, queue.endpoint_id):
                self._discard(queue, len(queue.waiting))

    def needs_more(self) -> bool:
        """Returns True if an endpoint may have more due deliveries, and half of its lease is used up."""
        return any(
            queue.may_have_more and queue.leased <= self._max_leased(queue) // 2
            for queue in self._queues.values()
        )

    def raise_limit(self) -> None:
        """Half of a lease was used up in a short time."""
        self.max_per_endpoint = min(2 * self.max_per_endpoint, MAX_LEASED_PER_ENDPOINT)

    def _max_leased(self, queue: EndpointQueue) -> int:
        """The store leases fewer deliveries of a failing endpoint."""
        return MAX_OPEN_PER_ENDPOINT if queue.failing else self.max_per_endpoint

    def _give_turn(self, queue: EndpointQueue) -> None:
        if queue.waiting and queue.open < MAX_OPEN_PER_ENDPOINT and not queue.in_turn:
            queue.in_turn = True
            (self._failing_turns if queue.failing else self._turns).append(queue)

    def _next_turn(self) -> EndpointQueue | None:
        if self.open >= MAX_OPEN:
            return None
        if self._failing_turns and self.open_failing < MAX_OPEN_FAILING:
            return self._failing_turns.popleft()
        return self._turns.popleft() if self._turns else None

    def _take_from(self, queue: EndpointQueue, *, now: float) -> LeasedDelivery | None:
        while queue.waiting:
            send_before, delivery = queue.waiting[0]
            if now < send_before:
                queue.waiting.popleft()
                return delivery
            self._discard(queue, 1)
            self.max_per_endpoint = MIN_LEASED_PER_ENDPOINT
        return None

    def _discard(self, queue: EndpointQueue, number: int) -> None:
        for _ in range(number):
            queue.waiting.popleft()
        queue.leased -= number
        self.leased -= number
