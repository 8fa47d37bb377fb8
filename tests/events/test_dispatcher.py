"""Deliveries over real HTTP, with a clock that the test advances."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.events.retry_schedule import JITTER, PAUSES
from connector.store import DeliveryRow
from tests.manual_clock import NOON, ManualClock

from .harness import EventsUnderTest
from .receiver import Receiver


async def only_delivery(events: EventsUnderTest) -> DeliveryRow:
    page = await events.endpoints.list_deliveries()
    [delivery] = page.deliveries
    return delivery


async def test_a_new_event_is_delivered_with_its_content(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    await events.deliver()
    [received] = receiver.received
    assert received.content_type == "application/json"
    assert received.user_agent.startswith("tiktok-connector/")
    assert received.json["type"] == "connection.connected"
    assert received.json["timestamp"] == "2026-11-20T12:00:00.000000Z"
    assert received.json["seq"] == 1
    assert received.json["data"]["connection"]["family"] == "marketing"
    assert (await only_delivery(events)).state == "delivered"


async def test_a_delivery_that_fails_three_times_is_repeated_in_the_times_of_the_table(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    receiver.statuses = [500, 500, 500]
    await events.deliver()
    for pause in PAUSES[:3]:
        delivery = await only_delivery(events)
        assert delivery.state == "pending"
        assert delivery.last_status == 500
        assert delivery.due_at is not None
        seconds = (delivery.due_at - clock.now()).total_seconds()
        assert pause * (1 - JITTER) <= seconds <= pause * (1 + JITTER)
        clock.advance(seconds - 0.001)
        await events.deliver()
        clock.advance(0.001)
        await events.deliver()
    assert len(receiver.received) == 4
    assert len(set(receiver.ids)) == 1
    timestamps = [event.timestamp for event in receiver.received]
    assert timestamps == sorted(set(timestamps))
    delivery = await only_delivery(events)
    assert (delivery.state, delivery.attempts) == ("delivered", 4)


async def test_a_delivery_ends_after_ten_attempts_and_can_be_replayed(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    endpoint = (await events.create(receiver.url)).endpoint
    await events.write_events()
    receiver.statuses = [500] * 10
    await events.deliver()
    for pause in PAUSES:
        clock.advance(pause * (1 + JITTER))
        await events.deliver()
    assert len(receiver.received) == 10
    assert (await only_delivery(events)).state == "exhausted"
    assert (await events.endpoints.replay(endpoint.id, since=NOON)).count == 1
    await events.deliver()
    assert (await only_delivery(events)).state == "delivered"


@pytest.mark.parametrize("status", [429, 503])
async def test_an_overloaded_endpoint_gets_a_minute(
    events: EventsUnderTest, receiver: Receiver, status: int
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    receiver.statuses = [status]
    await events.deliver()
    assert (await only_delivery(events)).due_at == NOON + timedelta(seconds=60)


async def test_retry_after_is_obeyed(events: EventsUnderTest, receiver: Receiver) -> None:
    await events.create(receiver.url)
    await events.write_events()
    receiver.statuses, receiver.response_headers = [503], {"Retry-After": "7200"}
    await events.deliver()
    assert (await only_delivery(events)).due_at == NOON + timedelta(hours=2)


async def test_a_redirect_is_a_failure_and_is_not_followed(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver
) -> None:
    await events.create(receiver.url)
    await events.write_events()
    receiver.statuses, receiver.response_headers = [302], {"Location": other_receiver.url}
    await events.deliver()
    assert (await only_delivery(events)).last_status == 302
    assert other_receiver.received == []


async def test_an_endpoint_gets_only_the_events_that_it_asks_for(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver
) -> None:
    await events.create(receiver.url, events=["connection.disconnected", "tiktok.*"])
    await events.create(other_receiver.url, events=["connection.connected"])
    await events.write_events()
    await events.deliver()
    assert receiver.received == []
    assert other_receiver.types == ["connection.connected"]


async def test_a_gone_endpoint_is_disabled_at_once_and_a_replay_delivers_what_it_missed(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver
) -> None:
    endpoint = (await events.create(receiver.url)).endpoint
    await events.create(other_receiver.url, events=["endpoint.*"])
    await events.write_events()
    receiver.statuses = [410]
    await events.deliver()
    await events.write_events(2)
    await events.deliver()
    disabled = await events.endpoints.get(endpoint.id)
    assert disabled.state == "disabled"
    assert len(receiver.received) == 1
    assert other_receiver.types == ["endpoint.disabled"]

    await events.endpoints.update(endpoint.id, state="enabled")
    assert (await events.endpoints.replay(endpoint.id, since=NOON)).count == 3
    await events.deliver()
    assert sorted(event.seq for event in receiver.received[1:]) == [1, 3, 4]
    assert (await events.endpoints.replay(endpoint.id, since=NOON)).count == 0
    assert (await events.endpoints.replay(endpoint.id, since=NOON, again=True)).count == 3


async def test_an_endpoint_is_disabled_after_five_days_without_success(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver, clock: ManualClock
) -> None:
    endpoint = (await events.create(receiver.url)).endpoint
    await events.create(other_receiver.url, events=["endpoint.*"])
    receiver.status = 500
    while (await events.endpoints.get(endpoint.id)).state == "enabled":
        assert clock.now() < NOON + timedelta(days=5, hours=12)
        await events.write_events()
        await events.deliver()
        clock.advance(3 * 3600)
    assert clock.now() > NOON + timedelta(days=5)
    await events.deliver()
    assert other_receiver.types == ["endpoint.disabled"]
    assert other_receiver.received[0].json["data"]["endpoint"]["id"] == endpoint.id
    metrics = events.metrics.render().decode()
    assert "connector_endpoints_disabled_total 1.0" in metrics
