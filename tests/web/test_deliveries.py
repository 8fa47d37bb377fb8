"""Servers list the deliveries, and replay events to an endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.model import format_utc
from tests.events.receiver import Receiver, running_receiver
from tests.running_service import AS_SERVER

from .conftest import Harness, StartService
from .events_harness import LOOPBACK, change, create_endpoint, number_events, read, until_state


@pytest.fixture
async def harness(start_service: StartService) -> Harness:
    return await start_service(**LOOPBACK)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def test_deliveries_are_listed_newest_first_a_page_at_a_time(
    harness: Harness, receiver: Receiver
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    other = (await create_endpoint(harness, f"{receiver.url}?other"))["id"]
    for family in ("marketing", "accounts", "login_kit"):
        await harness.connect(family=family)
    await number_events(harness)
    await receiver.until_received(6)
    deliveries = await until_state(harness, id, "delivered")
    await until_state(harness, other, "delivered")
    assert [delivery["seq"] for delivery in deliveries] == [3, 2, 1]
    assert deliveries[0] == {
        "id": deliveries[0]["id"],
        "event_id": deliveries[0]["event_id"],
        "endpoint_id": id,
        "type": "connection.connected",
        "seq": 3,
        "state": "delivered",
        "attempts": 1,
        "last_status": 200,
        "last_error": None,
        "last_at": "2026-11-20T12:00:00.000000+00:00",
        "last_ms": 0,
        "due_at": None,
        "delivered_at": "2026-11-20T12:00:00.000000+00:00",
    }
    first = await read(harness, f"/endpoints/{id}/deliveries?limit=2&state=delivered")
    second = await read(harness, f"/endpoints/{id}/deliveries?limit=2&after={first['next']}")
    assert [*first["deliveries"], *second["deliveries"]] == deliveries
    assert second["next"] is None
    assert len((await read(harness, "/deliveries"))["deliveries"]) == 6
    assert (await read(harness, "/deliveries?state=pending"))["deliveries"] == []
    for query in ("state=x", "after=x", "limit=0", "stat=pending"):
        assert (await harness.get(f"/deliveries?{query}", AS_SERVER)).code == "invalid_request"


async def test_an_endpoint_that_is_gone_gets_what_it_missed_once_by_a_replay(
    harness: Harness, receiver: Receiver
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    path, since = f"/endpoints/{id}", format_utc(harness.simulator.clock.now())
    receiver.statuses = [410]
    await harness.connect()
    await number_events(harness)
    await receiver.until_received(1)
    [dropped] = await until_state(harness, id, "dropped")
    assert dropped["last_status"] == 410
    refused = await change(harness, "POST", f"{path}/replay", since=since)
    assert (refused.status, refused.code) == (409, "endpoint_disabled")
    assert (await change(harness, "PATCH", path, state="enabled")).json["state"] == "enabled"
    for again, count in ((False, 1), (False, 0), (True, 1)):
        replayed = await change(harness, "POST", f"{path}/replay", since=since, again=again)
        assert (replayed.status, replayed.json) == (
            202,
            {"count": count, "more": False, "next_since": None},
        )
        await number_events(harness)
        await until_state(harness, id, "delivered")
    assert receiver.ids == [dropped["event_id"]] * 3


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 400, "invalid_request", "since is missing."),
        ({"since": "2026-11-20T11:00:00"}, 400, "invalid_request", "time zone"),
        ({"since": "today"}, 400, "invalid_request", "since must be a time such as"),
        ({"since": "9999-12-31T23:59:59-23:59"}, 400, "invalid_request", "too late"),
        (
            {"since": "2026-11-20T11:00:00Z", "until": "2026-11-20T11:00:00Z"},
            400,
            "invalid_request",
            "until must be later than since.",
        ),
        ({"since": "2026-11-20T11:00:00Z", "events": ["x"]}, 400, "invalid_request", "events"),
        ({"since": "2026-10-20T11:00:00Z"}, 410, "events_gone", "30 days"),
    ],
)
async def test_a_replay_that_is_not_possible_is_refused(
    harness: Harness,
    receiver: Receiver,
    body: dict[str, object],
    status: int,
    code: str,
    message: str,
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    response = await change(harness, "POST", f"/endpoints/{id}/replay", **body)
    assert (response.status, response.code) == (status, code)
    assert message in response.json["error"]
