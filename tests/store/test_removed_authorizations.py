"""A webhook of TikTok ends the connections of a TikTok user, or only lets their tokens be checked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    HOUR,
    MINUTE,
    OTHER_OWNER,
    SHOP,
    acquire_lease,
    apply,
    connect,
    failure,
    lease_due,
    new_user_id,
    outcome,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest, UserAccount
from .event_builders import receive

LATER = NOON + HOUR
PERSON = "The person disconnected the app in TikTok."

# A connection ends


@pytest.mark.parametrize("reason", range(5))
async def test_a_removed_authorization_ends_the_connection_at_once(
    database: DatabaseUnderTest, reason: int
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, selected_advertiser=SHOP, account_token="canary")
    assert await receive(store, reason=reason, now=LATER) == "connection_ended"
    connection, [row] = await stored_connection(store, id), database.rows("connections")
    assert (connection.status, connection.due_at) == ("reconnect_required", None)
    assert (connection.token_version, connection.updated_at) == (2, LATER)
    assert row["lease_owner"] is None
    assert not row["in_user_accounts"]
    assert connection.last_failure is not None
    assert connection.last_failure.model_dump() == {
        "code": "authorization_removed",
        "message": PERSON,
        "since": LATER,
        "count": 1,
        "retry_at": None,
        "reason": reason,
    }
    assert database.user_account(user) == UserAccount(None, None, None)
    assert [row.outcome for row in await store.list_webhooks(max_rows=2)] == ["connection_ended"]


async def test_a_removed_authorization_ends_the_connections_of_all_users_with_one_event_each(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    ids = {await connect(store) for _ in range(3)}
    assert await receive(store, reason=1, now=LATER) == "connection_ended"
    events = [e for e in database.rows("events") if e["type"] == "connection.reconnect_required"]
    assert {event["connection_id"] for event in events} == ids
    assert len(events) == 3
    connection = events[0]["data"]["connection"]
    assert (connection["id"], connection["status"]) == (
        events[0]["connection_id"],
        "reconnect_required",
    )
    assert events[0]["data"]["reason"] == {"code": "authorization_removed", "message": PERSON}


async def test_a_removed_authorization_ends_the_connections_of_all_families_of_its_app(
    store: Store,
) -> None:
    first = await connect(store, family="accounts")
    second = await connect(store, family="marketing")
    other = await connect(store, family="login_kit")
    await receive(store, reason=1, families=["accounts", "marketing"])
    statuses = [(await stored_connection(store, id)).status for id in (first, second, other)]
    assert statuses == ["reconnect_required", "reconnect_required", "active"]


async def test_a_removed_authorization_of_another_tiktok_user_changes_nothing(
    store: Store,
) -> None:
    id = await connect(store)
    before = await stored_connection(store, id)
    assert await receive(store, reason=1, tiktok_user_id="other") == "stored"
    assert await receive(store, reason=1, tiktok_user_id=None) == "stored"
    assert await receive(store, reason=1, families=[]) == "stored"
    assert await receive(store, reason=1, event="comment.update") == "stored"
    assert await stored_connection(store, id) == before


@pytest.mark.parametrize("status", ["revoked", "reconnect_required"])
@pytest.mark.parametrize("reason", [1, 5])
async def test_a_removed_authorization_changes_no_connection_that_has_ended(
    database: DatabaseUnderTest, status: str, reason: int
) -> None:
    store = await database.open_store()
    id = await connect(store)
    await acquire_lease(store, id)
    if status == "revoked":
        await store.mark_disconnected(id, now=NOON)
    else:
        await apply(store, outcome(id, status=status, last_failure=failure()))
    before = database.rows("connections")
    assert await receive(store, reason=reason, now=LATER) == "stored"
    assert database.rows("connections") == before
    assert "reconnect_required" not in database.event_types()


async def test_a_failing_connection_ends_too(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="refresh_failing", last_failure=failure()))
    assert await receive(store, reason=1) == "connection_ended"
    assert (await stored_connection(store, id)).status == "reconnect_required"


async def test_the_user_account_of_another_connection_stays(database: DatabaseUnderTest) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(
        store, user, tiktok_user_id="other", selected_advertiser=SHOP, account_token="token"
    )
    await connect(store, user)
    assert await receive(store, reason=1) == "connection_ended"
    assert database.user_account(user) == UserAccount("token", SHOP.name, SHOP.id)


# A refresh in flight


@pytest.mark.parametrize(
    "fields",
    [{"encrypted_tokens": "second"}, {"status": "refresh_failing", "event": "failing"}],
    ids=["new tokens", "a failure"],
)
async def test_the_outcome_of_a_running_refresh_is_refused_after_the_connection_ended(
    database: DatabaseUnderTest, fields: dict[str, str]
) -> None:
    store = await database.open_store()
    id = await connect(store)
    await acquire_lease(store, id)
    await receive(store, reason=1)
    assert await apply(store, outcome(id, **fields)) == set()
    assert (await stored_connection(store, id)).status == "reconnect_required"
    assert (await stored_tokens(store, id)).encrypted_tokens == "first"
    assert (await store.list_attempts(id))[0].result == "superseded"
    assert database.event_types()[1:] == ["reconnect_required", "tiktok.authorization.removed"]
    assert await acquire_lease(store, id, token_version=2, now=LATER) is None
    assert await lease_due(store, now=LATER) == []


async def test_a_webhook_after_the_outcome_of_a_refresh_ends_the_connection(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, encrypted_tokens="second", due_at=LATER))
    assert await receive(store, reason=1) == "connection_ended"
    assert (await stored_tokens(store, id)).token_version == 3


# The tokens are checked


@pytest.mark.parametrize(
    ("reason", "created_at", "expected"),
    [
        (5, LATER, "check_scheduled"),
        (-1, LATER, "check_scheduled"),
        (None, LATER, "check_scheduled"),
        (1, None, "check_scheduled"),
        (1, NOON - timedelta(microseconds=1), "check_scheduled"),
        (1, NOON, "connection_ended"),
    ],
)
async def test_a_webhook_that_may_be_about_an_earlier_connection_only_makes_it_due(
    database: DatabaseUnderTest, reason: int | None, created_at: datetime | None, expected: str
) -> None:
    """TikTok's times have whole seconds, so the connection may be half a second newer."""
    store = await database.open_store()
    id = await connect(store, now=NOON + timedelta(seconds=0.5), due_at=NOON + 24 * HOUR)
    before = await stored_connection(store, id)
    assert await receive(store, reason=reason, created_at=created_at, now=LATER) == expected
    if expected == "check_scheduled":
        due = before.model_copy(update={"due_at": LATER})
        assert await stored_connection(store, id) == due
        assert database.event_types()[1:] == ["tiktok.authorization.removed"]


async def test_a_connection_that_is_leased_keeps_its_lease(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    id = await connect(store)
    await acquire_lease(store, id)
    before = database.rows("connections")
    assert await receive(store, reason=5) == "check_scheduled"
    assert database.rows("connections") == before


async def test_a_connection_whose_lease_has_ended_is_due(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    assert await receive(store, reason=5, now=NOON + MINUTE) == "check_scheduled"
    [leased] = await lease_due(store, owner=OTHER_OWNER, now=NOON + MINUTE)
    assert leased.connection_id == id


async def test_one_webhook_ends_older_connections_and_checks_newer_ones(store: Store) -> None:
    older, newer = await connect(store), await connect(store, now=LATER)
    assert await receive(store, reason=1, created_at=NOON + MINUTE) == "connection_ended"
    assert (await stored_connection(store, older)).status == "reconnect_required"
    assert (await stored_connection(store, newer)).status == "active"
