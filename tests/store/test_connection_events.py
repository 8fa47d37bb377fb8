"""Each change of a connection writes an event in the same operation, with the state after the change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from connector.model import Account, Failure
from connector.store import Database, Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    DAY,
    HOUR,
    OWNER,
    SHOP,
    acquire_lease,
    apply,
    apply_status,
    connect,
    failure,
    new_user_id,
    outcome,
    select,
)
from .conftest import DatabaseUnderTest
from .event_builders import receive

PROFILE = Account(id="profile", name="Anna", kind="profile")
LONGEST_NAME = "🚲" * 5000
MAX_EVENT_SIZE = 20_000


@dataclass
class RecordingDatabase:
    """A real database. It records which operations have changed connections, with the events that they added."""

    database: Database
    tables: DatabaseUnderTest
    changes: list[tuple[str, list[str]]] = field(default_factory=list)
    name: str = "recording"

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        connections, events = self.tables.rows("connections"), self.tables.event_types()
        rows = await self.database.call(operation, **arguments)
        new_events = self.tables.event_types()[len(events) :]
        if new_events or self._states() != _states(connections):
            self.changes.append((operation, new_events))
        return rows

    def _states(self) -> list[tuple[str, ...]]:
        return _states(self.tables.rows("connections"))


def _states(connections: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    columns = ("id", "status", "selected_advertiser", "advertiser_lost", "connected_at")
    return sorted(tuple(str(row[column]) for column in columns) for row in connections)


async def test_a_change_and_its_event_are_one_call_of_the_database(
    database: DatabaseUnderTest,
) -> None:
    recording = RecordingDatabase(await database.connect(), database)
    store, user = Store(recording), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    await apply_status(store, id, "refresh_failing", last_failure=failure(), event="failing")
    await apply_status(store, id, "active", event="recovered")
    await select(store, id, BAR)
    await apply_status(store, id, "active", accounts=(SHOP,))
    await apply_status(store, id, "reconnect_required", event="reconnect_required")
    await connect(store, user, accounts=[SHOP])
    await receive(store, reason=1)
    await connect(store, user, accounts=[SHOP])
    await store.mark_disconnected(id, now=NOON)
    assert recording.changes == [
        ("upsert_connections", ["connected"]),
        ("apply_outcomes", ["failing"]),
        ("apply_outcomes", ["recovered"]),
        ("select_advertiser", ["advertiser_selected"]),
        ("apply_outcomes", ["advertiser_lost"]),
        ("apply_outcomes", ["reconnect_required"]),
        ("upsert_connections", ["reconnected"]),
        ("receive_webhook", ["reconnect_required", "tiktok.authorization.removed"]),
        ("upsert_connections", ["reconnected"]),
        ("mark_disconnected", ["disconnected"]),
    ]


async def test_an_event_has_the_state_of_the_connection_after_the_change(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    await apply_status(store, id, "refresh_failing", last_failure=failure(), event="failing")
    await select(store, id, BAR)
    await apply_status(store, id, "active", event="recovered")
    connection = {
        "id": id,
        "user_id": user,
        "family": "marketing",
        "tiktok_user_id": "tiktok-user",
        "status": "active",
        "account": None,
        "advertiser": {"id": SHOP.id, "name": SHOP.name},
        "advertiser_lost": False,
    }
    failing = connection | {"status": "refresh_failing"}
    selected = failing | {"advertiser": {"id": BAR.id, "name": BAR.name}}
    reason = {"code": "40100", "message": "TikTok is busy."}
    events = database.rows("events")
    assert [event["data"] for event in events] == [
        {"connection": connection, "reason": None},
        {"connection": failing, "reason": reason},
        {"connection": selected, "reason": reason},
        {"connection": selected | {"status": "active"}, "reason": None},
    ]
    assert {(event["connection_id"], event["user_id"]) for event in events} == {(id, user)}
    assert len({event["id"] for event in events}) == 4


async def test_an_event_of_a_profile_names_the_account(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    await connect(store, family="login_kit", accounts=[PROFILE])
    [event] = database.rows("events")
    assert event["data"]["connection"]["account"] == {"id": "profile", "name": "Anna"}
    assert event["data"]["connection"]["advertiser"] is None


async def test_a_lost_advertiser_is_reported_once_with_the_advertiser(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    for _ in range(2):
        await apply_status(store, id, "active", accounts=(BAR,))
    assert database.event_types() == ["connected", "advertiser_lost"]
    connection = database.rows("events")[-1]["data"]["connection"]
    assert connection["advertiser_lost"]
    assert connection["advertiser"]["id"] == SHOP.id


async def test_a_new_grant_without_the_selected_advertiser_reports_it_as_lost(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(store, user, selected_advertiser=SHOP)
    for _ in range(2):
        await connect(store, user, accounts=[BAR])
    assert database.event_types() == [
        "connected",
        "reconnected",
        "advertiser_lost",
        "reconnected",
    ]


@pytest.mark.parametrize("status", ["active", "refresh_failing", "reconnect_required"])
async def test_no_event_of_a_late_outcome_follows_the_event_that_the_user_has_disconnected(
    database: DatabaseUnderTest, status: str
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    await store.mark_disconnected(id, now=NOON)
    late = outcome(
        id,
        status=status,
        encrypted_tokens="second",
        expires_at=NOON + HOUR,
        refresh_expires_at=NOON + DAY,
        accounts=(BAR,),
        event="failing",
    )
    assert await apply(store, late) == {id}
    assert database.event_types() == ["connected", "disconnected"]


async def test_disconnecting_twice_writes_one_event(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    id = await connect(store)
    for _ in range(2):
        await store.mark_disconnected(id, now=NOON)
    assert database.event_types() == ["connected", "disconnected"]


# The content


async def test_no_event_contains_a_token(database: DatabaseUnderTest) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(
        store,
        user,
        accounts=[SHOP, BAR],
        selected_advertiser=SHOP,
        encrypted_tokens="canary",
        account_token="canary",
    )
    await select(store, id, BAR, account_token="canary")
    await apply_status(store, id, "refresh_failing", encrypted_tokens="canary", event="failing")
    await apply_status(store, id, "active", accounts=(SHOP,), account_token="canary")
    await connect(store, user, encrypted_tokens="canary")
    await store.mark_disconnected(id, now=NOON)
    assert len(database.rows("events")) >= 6
    assert "canary" not in str(database.rows("events"))
    assert OWNER not in str(database.rows("events"))


async def test_an_event_with_the_longest_names_has_at_most_20_kb(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    profile = Account(id="p" * 100, name=LONGEST_NAME, kind="profile")
    shop = Account(id="s" * 100, name=LONGEST_NAME)
    id = await connect(store, accounts=[profile, shop], selected_advertiser=shop)
    long = Failure(code="c" * 100, message=LONGEST_NAME, since=NOON)
    await apply_status(store, id, "refresh_failing", last_failure=long, event="failing")
    data = database.rows("events")[-1]["data"]
    assert data["connection"]["account"]["name"] == LONGEST_NAME[:200]
    assert data["connection"]["advertiser"]["name"] == LONGEST_NAME[:200]
    assert data["reason"]["message"] == LONGEST_NAME[:500]
    assert len(json.dumps(data)) <= MAX_EVENT_SIZE
