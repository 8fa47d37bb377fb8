"""Endpoints: what can be set, what is refused, secrets, tests and replays."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import EndpointDisabled, EndpointRefused, EventsGone, InvalidRequest, NotFound
from connector.events import CONFIGURED_ENDPOINT_ID
from connector.events.endpoint_secrets import decrypt_secrets
from connector.events.signing import new_secret, parse_secret, signed_headers
from tests.manual_clock import NOON, ManualClock

from .harness import CIPHER, EventsUnderTest, events_on
from .receiver import ReceivedEvent, Receiver

UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"


def signatures(secret: SecretStr, event: ReceivedEvent) -> str:
    headers = signed_headers(
        [parse_secret(secret)], message_id=event.id, timestamp=event.timestamp, body=event.body
    )
    return headers["webhook-signature"]


async def test_a_new_endpoint_is_enabled_and_asks_for_the_events_of_connections(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    created = await events.endpoints.create(url=receiver.url, description="Our CRM")
    endpoint = created.endpoint
    assert (endpoint.url, endpoint.events) == (receiver.url, ("connection.*",))
    assert (endpoint.description, endpoint.state) == ("Our CRM", "enabled")
    assert await events.endpoints.list() == [endpoint]


async def test_an_address_inside_the_network_and_a_wrong_text_are_refused(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    with pytest.raises(EndpointRefused):
        await events.endpoints.create(url="https://10.0.0.1/hook")
    with pytest.raises(EndpointRefused, match="at most 1024 characters"):
        await events.endpoints.create(url=receiver.url + "x" * 1024)
    with pytest.raises(InvalidRequest, match="description"):
        await events.endpoints.create(url=receiver.url, description="x" * 201)
    with pytest.raises(InvalidRequest, match=r"events contains connection\.conected"):
        await events.endpoints.create(url=receiver.url, events=["connection.conected"])
    assert await events.endpoints.list() == []


async def test_an_update_changes_only_what_is_given(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver
) -> None:
    before = (await events.create(receiver.url)).endpoint
    updated = await events.endpoints.update(before.id, url=other_receiver.url)
    assert updated == before.model_copy(
        update={"url": other_receiver.url, "updated_at": updated.updated_at}
    )
    updated = await events.endpoints.update(before.id, events=["tiktok.*"], description="x")
    assert (updated.events, updated.description) == (("tiktok.*",), "x")
    with pytest.raises(EndpointRefused):
        await events.endpoints.update(before.id, url="http://169.254.169.254/")


async def test_an_endpoint_that_does_not_exist_is_not_found(events: EventsUnderTest) -> None:
    for endpoint_id in (UNKNOWN_ID, "x", ""):
        with pytest.raises(NotFound):
            await events.endpoints.get(endpoint_id)
    with pytest.raises(NotFound):
        await events.endpoints.update(UNKNOWN_ID, state="disabled")
    with pytest.raises(NotFound):
        await events.endpoints.delete(UNKNOWN_ID)
    with pytest.raises(NotFound):
        await events.endpoints.rotate_secret(UNKNOWN_ID)
    with pytest.raises(NotFound):
        await events.endpoints.send_test(UNKNOWN_ID)
    with pytest.raises(NotFound):
        await events.endpoints.replay(UNKNOWN_ID, since=NOON)
    with pytest.raises(NotFound):
        await events.endpoints.list_deliveries(UNKNOWN_ID)


async def test_a_deleted_endpoint_gets_nothing_more(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint = (await events.create(receiver.url)).endpoint
    await events.write_events()
    await events.dispatcher.numbering.run_once()
    await events.endpoints.delete(endpoint.id)
    await events.deliver()
    assert receiver.received == []
    assert (await events.endpoints.list_deliveries()).deliveries == ()


async def test_a_request_is_signed_with_the_secret_that_was_returned_once(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    created = await events.create(receiver.url)
    await events.write_events()
    await events.deliver()
    [event] = receiver.received
    assert event.signature == signatures(created.secret, event)
    assert event.timestamp == NOON.timestamp()


async def test_both_secrets_sign_until_the_end_of_the_grace_time(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    first = await events.create(receiver.url)
    second = await events.endpoints.rotate_secret(first.endpoint.id, grace_hours=1)
    await events.write_events()
    await events.deliver()
    clock.advance(3600)
    await events.write_events()
    await events.deliver()
    during, after = receiver.received
    old, new = signatures(first.secret, during), signatures(second.secret, during)
    assert during.signature == f"{new} {old}"
    assert after.signature == signatures(second.secret, after)


async def test_an_endpoint_has_at_most_one_old_secret(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    second = await events.endpoints.rotate_secret(endpoint_id)
    third = await events.endpoints.rotate_secret(endpoint_id)
    endpoint = await events.endpoints.get(endpoint_id)
    secrets = decrypt_secrets(endpoint.encrypted_secrets, endpoint_id=endpoint_id, cipher=CIPHER)
    assert [entry.secret for entry in secrets] == [third.secret, second.secret]
    assert [entry.until for entry in secrets] == [None, NOON + timedelta(hours=24)]
    fourth = await events.endpoints.rotate_secret(endpoint_id, grace_hours=0)
    await events.endpoints.send_test(endpoint_id)
    [event] = receiver.received
    assert event.signature == signatures(fourth.secret, event)


@pytest.mark.parametrize("hours", [-1, 169])
async def test_a_grace_time_is_at_most_a_week(
    events: EventsUnderTest, receiver: Receiver, hours: int
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    with pytest.raises(InvalidRequest, match="grace_hours"):
        await events.endpoints.rotate_secret(endpoint_id, grace_hours=hours)


async def test_a_test_event_is_sent_at_once_also_to_a_disabled_endpoint_and_is_not_stored(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    await events.endpoints.update(endpoint_id, state="disabled")
    receiver.statuses = [500]
    failed = await events.endpoints.send_test(endpoint_id)
    assert (failed.delivered, failed.status) == (False, 500)
    assert failed.error == "The endpoint responded with 500."
    succeeded = await events.endpoints.send_test(endpoint_id)
    assert (succeeded.delivered, succeeded.status, succeeded.error) == (True, 200, None)
    event = receiver.received[-1]
    assert event.json["type"] == "endpoint.test"
    assert event.json["seq"] is None
    assert event.json["data"] == {"endpoint": {"id": endpoint_id, "url": receiver.url}}
    assert (await events.endpoints.list_deliveries()).deliveries == ()


async def test_a_replay_is_refused_for_a_disabled_endpoint_and_for_events_that_are_gone(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    with pytest.raises(EventsGone) as gone:
        await events.endpoints.replay(endpoint_id, since=NOON - timedelta(days=30, seconds=1))
    assert gone.value.oldest == 1
    with pytest.raises(InvalidRequest, match="until"):
        await events.endpoints.replay(endpoint_id, since=NOON, until=NOON)
    with pytest.raises(InvalidRequest, match="events"):
        await events.endpoints.replay(endpoint_id, since=NOON, events=["*"])
    await events.endpoints.update(endpoint_id, state="disabled")
    with pytest.raises(EndpointDisabled):
        await events.endpoints.replay(endpoint_id, since=NOON)


async def test_a_replay_can_select_a_time_and_types(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    for _ in range(3):
        await events.write_events()
        clock.advance(60)
    await events.deliver()
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    minute = timedelta(minutes=1)
    none = await events.endpoints.replay(endpoint_id, since=NOON, events=["connection.failing"])
    assert none.count == 0
    replayed = await events.endpoints.replay(
        endpoint_id, since=NOON + minute, until=NOON + 2 * minute, events=["connection.connected"]
    )
    assert (replayed.count, replayed.more) == (1, False)
    await events.deliver()
    assert [event.seq for event in receiver.received] == [2]


async def test_deliveries_are_listed_in_pages_with_the_newest_first(
    events: EventsUnderTest, receiver: Receiver
) -> None:
    endpoint_id = (await events.create(receiver.url)).endpoint.id
    await events.write_events(5)
    await events.deliver()
    seen: list[int] = []
    after = None
    while True:
        page = await events.endpoints.list_deliveries(endpoint_id, after=after, limit=2)
        seen += [delivery.seq for delivery in page.deliveries]
        if page.next is None:
            break
        after = page.next
    assert seen == [5, 4, 3, 2, 1]
    assert (await events.endpoints.list_deliveries(state="pending")).deliveries == ()
    for limit in (0, 201):
        with pytest.raises(InvalidRequest, match="limit"):
            await events.endpoints.list_deliveries(limit=limit)
    with pytest.raises(InvalidRequest, match="after"):
        await events.endpoints.list_deliveries(after=2**63)


async def test_pending_deliveries_are_counted_again_after_30_seconds(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    await events.create(receiver.url)
    await events.write_events(3)
    await events.dispatcher.numbering.run_once()
    assert await events.endpoints.count_pending() == 3
    await events.deliver()
    assert await events.endpoints.count_pending() == 3
    clock.advance(30)
    assert await events.endpoints.count_pending() == 0


async def test_no_secret_is_in_the_log_or_in_a_representation(
    events: EventsUnderTest, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    created = await events.create(receiver.url)
    rotated = await events.endpoints.rotate_secret(created.endpoint.id)
    await events.write_events()
    receiver.statuses = [500]
    await events.deliver()
    shown = caplog.text + repr(created) + repr(rotated) + repr(await events.endpoints.list())
    for secret in (created.secret, rotated.secret):
        assert secret.get_secret_value().removeprefix("whsec_") not in shown
    assert "v1,k1" not in shown


async def test_the_endpoint_of_the_settings_exists_after_each_start_and_is_removed_with_them(
    events: EventsUnderTest, receiver: Receiver, other_receiver: Receiver, clock: ManualClock
) -> None:
    secret = new_secret()
    for url in (receiver.url, receiver.url, other_receiver.url):
        async with events_on(events.store, clock, url=url, secret=secret) as configured:
            await configured.deliver()
            await configured.write_events()
            await configured.deliver()
        [endpoint] = await events.endpoints.list()
        assert (endpoint.id, endpoint.url) == (CONFIGURED_ENDPOINT_ID, url)
        assert endpoint.events == ("connection.*", "selection.*", "publication.*", "endpoint.*")
    assert receiver.types == ["connection.connected"] * 2
    assert other_receiver.types == ["connection.connected"]
    [event] = other_receiver.received
    assert event.signature == signatures(secret, event)
    await events.deliver()
    assert await events.endpoints.list() == []


async def test_a_start_enables_the_endpoint_of_the_settings_and_writes_a_new_secret(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    async with events_on(events.store, clock, url=receiver.url, secret=new_secret()) as first:
        await first.deliver()
        await first.endpoints.update(CONFIGURED_ENDPOINT_ID, state="disabled")
    secret = new_secret()
    async with events_on(events.store, clock, url=receiver.url, secret=secret) as second:
        await second.deliver()
        await second.write_events()
        await second.deliver()
    [event] = receiver.received
    assert event.signature == signatures(secret, event)


async def test_only_the_settings_change_their_endpoint(
    events: EventsUnderTest, receiver: Receiver, clock: ManualClock
) -> None:
    async with events_on(events.store, clock, url=receiver.url, secret=new_secret()) as configured:
        await configured.deliver()
        for change in (
            configured.endpoints.delete(CONFIGURED_ENDPOINT_ID),
            configured.endpoints.rotate_secret(CONFIGURED_ENDPOINT_ID),
            configured.endpoints.update(CONFIGURED_ENDPOINT_ID, events=["tiktok.*"]),
        ):
            with pytest.raises(InvalidRequest, match="CONNECTOR_WEBHOOK_URL"):
                await change
