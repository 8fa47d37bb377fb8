"""Webhooks from TikTok to two processes with one database, on each of the three databases.

The simulator signs webhooks and repeats them until it gets 200. Its clock is the real time, because TikTok and
the database must agree on whether a person connected before or after a webhook was created.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.database_views import sqlite_view, supabase_view
from tests.running_service import Simulator, running_simulator
from tests.signed_webhooks import signature_of, webhook_body
from tests.supabase_gateway import Fault
from tests.supabase_stack import Stack

from .service_process import TIMEOUT_SECONDS, NewService, wait_until
from .webhook_person import IN_TIME, Person, RealClock, Replicas, until

FAULTS = cast(list[Fault], ["down", "503", "hang", "drop_after"])
TOKEN_CALLS = "/v2/oauth/token/"
ADDRESS = "/webhooks/tiktok"


@pytest.fixture(scope="module")
async def tiktok() -> AsyncIterator[Simulator]:
    async with running_simulator(RealClock()) as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "supabase", "postgres"])
async def replicas(request: pytest.FixtureRequest, new_service: NewService) -> Replicas:
    if request.param == "sqlite":
        first = new_service("first")
        services = [first, new_service("second", CONNECTOR_DATABASE=str(first.database))]
        database = sqlite_view(first.database)
    else:
        stack: Stack = request.getfixturevalue("stack")
        database = supabase_view(stack, request.param)
        services = [new_service(name, **database.environ) for name in ("first", "second")]
    for service in services:
        await service.start()
    return Replicas(services, database)


@pytest.fixture
async def person(http: ClientSession, replicas: Replicas, simulator: Simulator) -> Person:
    url = replicas.services[0].url + ADDRESS
    await simulator.post("/_sim/settings", {"webhook_url": url})
    return Person(http, replicas, simulator)


async def test_a_person_who_disconnects_in_tiktok_ends_the_connection_on_every_replica(
    person: Person, user: UserId
) -> None:
    id = await person.connect(user)
    await person.revoke()
    async with asyncio.timeout(IN_TIME):
        for replica in (0, 1):
            connection = await person.wait_for_status(id, "reconnect_required", at=replica)
            assert connection["failure"]["code"] == "authorization_removed"
            status, reply = await person.call("GET", f"/connections/{id}/token", at=replica)
            assert (status, reply["code"]) == (409, "reconnect_required")


async def test_50_equal_webhooks_at_once_to_two_processes_are_stored_once_and_cause_one_event(
    http: ClientSession, person: Person, user: UserId, replicas: Replicas
) -> None:
    id = await person.connect(user)
    now = datetime.now(UTC)
    body = webhook_body(created_at=now, tiktok_user_id=person.tiktok_user_id, reason=1)

    async def post(number: int) -> int:
        # TikTok may sign a repetition again.
        signed_at = now - timedelta(seconds=number)
        headers = {"TikTok-Signature": signature_of(body, signed_at=signed_at)}
        url = replicas.services[number % 2].url + ADDRESS
        async with http.post(url, data=body, headers=headers) as response:
            return response.status

    assert set(await asyncio.gather(*map(post, range(50)))) == {200}
    stored = [
        row
        for row in replicas.database.rows("webhooks")
        if row["tiktok_user_id"] == person.tiktok_user_id
    ]
    assert [row["outcome"] for row in stored] == ["connection_ended"]
    assert replicas.event_types(id)["connection.reconnect_required"] == 1


@pytest.mark.parametrize(
    ("age", "status", "is_ended"),
    [
        (timedelta(hours=71), 200, True),
        (timedelta(hours=74), 401, False),
        (-timedelta(minutes=6), 401, False),
    ],
    ids=["71 hours old", "74 hours old", "6 minutes ahead"],
)
async def test_a_webhook_that_was_signed_up_to_73_hours_ago_has_its_effect(
    person: Person, user: UserId, age: timedelta, status: int, is_ended: bool
) -> None:
    id = await person.connect(user)
    signed_at = datetime.now(UTC) - age
    assert await person.send(signed_at=signed_at.timestamp()) == status
    connection = await person.connection(id)
    assert connection["status"] == ("reconnect_required" if is_ended else "active")


async def test_a_webhook_from_before_the_last_consent_only_checks_the_token(
    person: Person, user: UserId, replicas: Replicas
) -> None:
    id = await person.connect(user)
    before = datetime.now(UTC) - timedelta(minutes=1)
    assert await person.send(create_time=before.timestamp()) == 200
    [attempt] = await until(lambda: person.refreshes(id), bool)
    assert attempt["result"] == "ok"
    assert (await person.connection(id))["status"] == "active"
    assert not replicas.event_types(id)["connection.reconnect_required"]


async def test_a_revocation_by_the_developer_only_checks_the_token(
    person: Person, user: UserId
) -> None:
    id = await person.connect(user)
    assert await person.send(content={"reason": 5}) == 200
    [attempt] = await until(lambda: person.refreshes(id), bool)
    assert attempt["result"] == "ok"
    assert (await person.connection(id))["status"] == "active"


async def test_a_webhook_during_a_refresh_ends_the_connection_although_the_refresh_succeeds(
    person: Person, user: UserId, simulator: Simulator
) -> None:
    id = await person.connect(user)
    await simulator.fault(TOKEN_CALLS, "hang")
    refresh = asyncio.create_task(person.call("POST", f"/connections/{id}/refresh", at=1))
    await _wait_for_call(simulator)
    assert await person.send() == 200
    simulator.state.faults.clear()
    await refresh
    [attempt] = await until(lambda: person.refreshes(id), bool)
    assert attempt["result"] == "superseded"
    connection = await person.connection(id)
    assert connection["status"] == "reconnect_required"
    assert connection["failure"]["code"] == "authorization_removed"
    status, _ = await person.call("GET", f"/connections/{id}/token", at=1)
    assert status == 409


async def test_a_webhook_after_a_refresh_ends_the_connection(person: Person, user: UserId) -> None:
    id = await person.connect(user)
    assert (await person.call("POST", f"/connections/{id}/refresh", at=1))[0] == 200
    assert await person.send() == 200
    assert (await person.connection(id, at=1))["status"] == "reconnect_required"


async def _wait_for_call(simulator: Simulator) -> None:
    """Waits until the refresh has arrived; the exchange was the call before."""
    await wait_until(lambda: len(simulator.state.call_log.calls(path=TOKEN_CALLS)) == 2)


async def test_a_person_who_disconnects_ends_the_connections_of_all_users_with_that_account(
    person: Person, user: UserId
) -> None:
    ids = [await person.connect(user), await person.connect(UserId(str(uuid4())))]
    await person.revoke()
    for id in ids:
        await person.wait_for_status(id, "reconnect_required")


async def test_a_user_who_disconnects_here_does_not_end_the_connection_of_another_user(
    person: Person, user: UserId, simulator: Simulator
) -> None:
    id, other_id = await person.connect(user), await person.connect(UserId(str(uuid4())))
    assert (await person.call("DELETE", f"/connections/{id}"))[0] == 200
    await person.wait_for_status(id, "revoked")
    assert (await simulator.stats()).get("revoked", 0) == 0
    assert (await person.call("POST", f"/connections/{other_id}/refresh"))[0] == 200
    assert (await person.connection(other_id))["status"] == "active"


async def test_the_webhook_about_our_own_revocation_changes_nothing(
    person: Person, user: UserId, replicas: Replicas
) -> None:
    id = await person.connect(user)
    assert (await person.call("DELETE", f"/connections/{id}"))[0] == 200
    [webhook] = await until(person.webhooks, bool)
    assert webhook["outcome"] == "stored"
    assert (await person.connection(id))["status"] == "revoked"
    types = replicas.event_types(id)
    assert types["connection.disconnected"] == 1
    assert types["connection.reconnect_required"] == 0


async def test_an_event_of_a_retired_api_changes_nothing_and_keeps_the_digits_of_its_ids(
    person: Person, user: UserId, replicas: Replicas
) -> None:
    id = await person.connect(user)
    content = {"share_id": 9007199254740993}
    assert await person.send("video.upload.failed", content=content) == 200
    [stored] = [
        row
        for row in replicas.database.rows("webhooks")
        if row["tiktok_user_id"] == person.tiktok_user_id
    ]
    assert (stored["outcome"], stored["content"]) == ("stored", content)
    assert (await person.connection(id))["status"] == "active"


@pytest.mark.parametrize("replicas", ["supabase"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_webhook_that_arrives_while_the_database_fails_is_repeated_and_has_its_effect(
    http: ClientSession,
    person: Person,
    user: UserId,
    replicas: Replicas,
    stack: Stack,
    fault: Fault,
) -> None:
    id = await person.connect(user)
    now = datetime.now(UTC)
    body = webhook_body("comment.update", created_at=now)
    headers = {"TikTok-Signature": signature_of(body, signed_at=now)}
    with stack.gateway.failing(fault):
        url = replicas.services[0].url + ADDRESS
        async with http.post(url, data=body, headers=headers) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
        assert await person.send() == 503
    await person.wait_for_status(id, "reconnect_required", seconds=TIMEOUT_SECONDS)
