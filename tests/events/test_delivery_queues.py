"""Which delivery is sent next, without any I/O."""

from __future__ import annotations

from itertools import count

import pytest

from connector.events.delivery_queues import (
    MAX_LEASED_PER_ENDPOINT,
    MAX_OPEN,
    MAX_OPEN_FAILING,
    MAX_OPEN_PER_ENDPOINT,
    MIN_LEASED_PER_ENDPOINT,
    DeliveryQueues,
    NextDelivery,
)
from connector.model import Ciphertext
from connector.store import LeasedDelivery
from tests.manual_clock import NOON

IDS = count()


def deliveries(number: int, endpoint_id: str = "a") -> list[LeasedDelivery]:
    return [
        LeasedDelivery(
            id=next(IDS),
            event_id="event",
            endpoint_id=endpoint_id,
            attempts=0,
            url="https://example.com",
            encrypted_secrets=Ciphertext("v1.k1.x"),
            seq=1,
            type="connection.connected",
            data_json="{}",
            created_at=NOON,
        )
        for _ in range(number)
    ]


def queues_with(numbers: dict[str, int], *, all_due: bool = True) -> DeliveryQueues:
    queues = DeliveryQueues()
    leased = [delivery for name, number in numbers.items() for delivery in deliveries(number, name)]
    queues.add(leased, send_before=14.0, all_due=all_due)
    return queues


def take_all(queues: DeliveryQueues, *, now: float = 0.0) -> list[NextDelivery]:
    return list(iter(lambda: queues.take(now=now), None))


def endpoint_ids(taken: list[NextDelivery]) -> list[str]:
    return [entry.delivery.endpoint_id for entry in taken]


def test_an_endpoint_has_at_most_eight_open_requests_and_the_end_of_one_allows_the_next() -> None:
    queues = queues_with({"a": 20})
    taken = take_all(queues)
    assert len(taken) == MAX_OPEN_PER_ENDPOINT
    queues.finish(taken[0], delivered=True)
    assert len(take_all(queues)) == 1


def test_endpoints_take_turns() -> None:
    queues = queues_with({"a": 20, "b": 2, "c": 1})
    assert endpoint_ids(take_all(queues))[:5] == ["a", "b", "c", "a", "b"]


def test_a_process_has_at_most_256_open_requests() -> None:
    queues = queues_with({f"e{number}": 8 for number in range(40)})
    taken = take_all(queues)
    assert len(taken) == MAX_OPEN
    queues.finish(taken[0], delivered=True)
    assert len(take_all(queues)) == 1


def fail_once(queues: DeliveryQueues, endpoints: int) -> None:
    """One delivery of each endpoint fails."""
    for number in range(endpoints):
        queues.add(deliveries(1, f"failing{number}"), send_before=14.0, all_due=True)
    for taken in take_all(queues):
        queues.finish(taken, delivered=False)
        queues.forget(taken.queue.endpoint_id)


def test_failing_endpoints_together_leave_half_of_the_requests_to_the_others() -> None:
    queues = DeliveryQueues()
    fail_once(queues, 40)
    for number in range(40):
        queues.add(deliveries(8, f"failing{number}"), send_before=14.0, all_due=True)
    assert len(take_all(queues)) == MAX_OPEN_FAILING
    queues.add(deliveries(8, "healthy"), send_before=14.0, all_due=True)
    assert endpoint_ids(take_all(queues)) == ["healthy"] * 8


def test_an_endpoint_that_has_recovered_is_not_limited_any_more() -> None:
    queues = DeliveryQueues()
    fail_once(queues, 1)
    queues.add(deliveries(2, "failing0"), send_before=14.0, all_due=True)
    first, second = take_all(queues)
    assert queues.open_failing == 2
    for taken in (first, second):
        queues.finish(taken, delivered=True)
    assert (queues.open, queues.open_failing) == (0, 0)
    queues.add(deliveries(1, "failing0"), send_before=14.0, all_due=True)
    take_all(queues)
    assert queues.open_failing == 0


def test_a_delivery_is_dropped_when_its_time_is_over() -> None:
    queues = queues_with({"a": 3, "b": 3})
    assert take_all(queues, now=14.0) == []
    assert queues.leased == 0
    queues.add(deliveries(1), send_before=20.0, all_due=True)
    assert len(take_all(queues, now=14.0)) == 1


def test_waiting_deliveries_can_be_discarded_for_one_endpoint_or_for_all() -> None:
    queues = queues_with({"a": 20, "b": 20})
    taken = take_all(queues)
    queues.discard_waiting("a")
    for entry in taken:
        queues.finish(entry, delivered=True)
    assert set(endpoint_ids(take_all(queues))) == {"b"}
    queues.discard_waiting()
    assert take_all(queues) == []


def finish_all(queues: DeliveryQueues, number: int) -> None:
    for _ in range(number):
        taken = queues.take(now=0.0)
        assert taken is not None
        queues.finish(taken, delivered=True)
        queues.forget(taken.queue.endpoint_id)


def test_more_is_needed_when_half_of_a_full_lease_is_used_up() -> None:
    queues = queues_with({"a": MIN_LEASED_PER_ENDPOINT})
    finish_all(queues, MIN_LEASED_PER_ENDPOINT // 2 - 1)
    assert not queues.needs_more()
    finish_all(queues, 1)
    assert queues.needs_more()
    queues.add([], send_before=14.0, all_due=True)
    assert not queues.needs_more()


@pytest.mark.parametrize("all_due", [True, False])
def test_more_is_needed_after_a_lease_that_was_cut_off(all_due: bool) -> None:
    queues = queues_with({"a": 3}, all_due=all_due)
    assert queues.needs_more() is not all_due


def test_a_failing_endpoint_needs_more_after_a_lease_of_eight() -> None:
    queues = DeliveryQueues()
    fail_once(queues, 1)
    queues.add(deliveries(8, "failing0"), send_before=14.0, all_due=True)
    for taken in take_all(queues)[:4]:
        queues.finish(taken, delivered=False)
        queues.forget("failing0")
    assert queues.needs_more()


def test_the_limit_of_a_lease_grows_and_falls_when_a_delivery_was_not_sent_in_time() -> None:
    queues = queues_with({"a": 1})
    for _ in range(4):
        queues.raise_limit()
    assert queues.max_per_endpoint == MAX_LEASED_PER_ENDPOINT
    take_all(queues, now=14.0)
    assert queues.max_per_endpoint == MIN_LEASED_PER_ENDPOINT
