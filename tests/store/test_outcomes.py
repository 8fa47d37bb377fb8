"""Only outcomes of the current owner and token version are applied, with events and attempts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connector.store import Outcome, Store
from tests.manual_clock import NOON

from .builders import (
    BAR,
    HOUR,
    MINUTE,
    OTHER_OWNER,
    SHOP,
    acquire_lease,
    apply,
    attempt,
    connect,
    failure,
    lease_due,
    outcome,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest

LATER = NOON + HOUR


async def test_new_tokens_replace_the_old_tokens_with_all_their_times(store: Store) -> None:
    id = await connect(store, expires_at=NOON + MINUTE)
    await acquire_lease(store, id)
    refreshed = outcome(
        id,
        encrypted_tokens="second",
        expires_at=LATER,
        refresh_expires_at=None,
        verified_at=LATER,
        due_at=LATER,
    )
    assert await apply(store, refreshed, now=LATER) == {id}
    stored, connection = await stored_tokens(store, id), await stored_connection(store, id)
    assert (stored.encrypted_tokens, stored.token_version) == ("second", 2)
    assert (stored.expires_at, stored.refresh_expires_at) == (LATER, None)
    assert (connection.verified_at, connection.due_at) == (LATER, LATER)
    assert connection.updated_at == LATER


async def test_an_outcome_without_tokens_leaves_the_tokens_and_their_times_unchanged(
    store: Store,
) -> None:
    id = await connect(store, expires_at=LATER)
    before = await acquire_lease(store, id)
    assert before is not None
    failed = outcome(id, status="refresh_failing", last_failure=failure(), due_at=LATER)
    await apply(store, failed)
    changes = {"status": "refresh_failing", "last_failure": failure()}
    assert await stored_tokens(store, id) == before.model_copy(update=changes)


async def test_an_applied_outcome_releases_the_lease(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, due_at=LATER))
    assert await acquire_lease(store, id, owner=OTHER_OWNER) is not None


async def test_an_outcome_without_a_failure_clears_the_last_failure(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="refresh_failing", last_failure=failure()))
    await acquire_lease(store, id)
    await apply(store, outcome(id))
    assert (await stored_tokens(store, id)).last_failure is None


async def test_an_outcome_that_deletes_the_tokens_leaves_none_and_is_not_due_again(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    await store.mark_disconnected(id, now=NOON)
    await acquire_lease(store, id)
    assert await apply(store, outcome(id, status="revoked", delete_tokens=True)) == {id}
    assert (await stored_tokens(store, id)).encrypted_tokens is None
    [row] = database.rows("connections")
    assert row["due_at"] is None


# Fencing


async def test_an_outcome_that_started_from_older_tokens_is_refused(store: Store) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, encrypted_tokens="second"))
    assert await apply(store, outcome(id, encrypted_tokens="third, made from the first")) == set()
    assert (await stored_tokens(store, id)).encrypted_tokens == "second"


@pytest.mark.parametrize(
    "fields", [{}, {"status": "reconnect_required", "last_failure": failure()}]
)
async def test_an_outcome_without_tokens_is_refused_after_the_lease_passed_to_another_owner(
    store: Store, fields: dict[str, Any]
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE)
    before = await store.get_connection(id)
    assert await apply(store, outcome(id, **fields)) == set()
    assert await store.get_connection(id) == before


async def test_new_tokens_of_a_late_owner_are_stored_if_no_newer_tokens_were_written(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE)
    assert await apply(store, outcome(id, encrypted_tokens="the only valid pair")) == {id}
    ended_outcome = outcome(id, lease_owner=OTHER_OWNER, status="reconnect_required")
    assert await apply(store, ended_outcome) == set()
    stored = await stored_tokens(store, id)
    assert (stored.encrypted_tokens, stored.token_version) == ("the only valid pair", 2)
    assert stored.status == "active"


async def test_an_outcome_of_an_owner_that_never_had_the_lease_is_refused(store: Store) -> None:
    id = await connect(store)
    assert await apply(store, outcome(id, status="reconnect_required")) == set()


async def test_a_refresh_that_ends_after_disconnecting_stores_its_tokens_and_makes_them_due(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    await store.mark_disconnected(id, now=NOON)
    refreshed_at = NOON + MINUTE / 2
    await apply(store, outcome(id, encrypted_tokens="second", due_at=LATER), now=refreshed_at)
    connection = await stored_connection(store, id)
    assert (connection.status, connection.due_at) == ("revoked", refreshed_at)
    assert (await stored_tokens(store, id)).encrypted_tokens == "second"


async def test_a_failed_revocation_does_not_delete_the_tokens_and_is_due_again(
    store: Store,
) -> None:
    id = await connect(store)
    await store.mark_disconnected(id, now=NOON)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="revoked", last_failure=failure(), due_at=LATER))
    connection = await stored_connection(store, id)
    assert (connection.status, connection.due_at) == ("revoked", LATER)
    assert (await stored_tokens(store, id)).encrypted_tokens == "first"


# Events and attempts


async def test_an_applied_outcome_writes_its_event(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    id = await connect(store)
    await acquire_lease(store, id)
    await apply(store, outcome(id, status="reconnect_required", event="reconnect_required"))
    event = database.rows("events")[-1]
    assert (event["type"], event["connection_id"]) == ("connection.reconnect_required", id)


async def test_new_tokens_after_the_end_of_a_connection_write_a_recovered_event(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    await acquire_lease(store, id)
    await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE)
    ended_outcome = outcome(
        id, lease_owner=OTHER_OWNER, status="reconnect_required", event="reconnect_required"
    )
    assert await apply(store, ended_outcome) == {id}
    assert await apply(store, outcome(id, encrypted_tokens="the only valid pair")) == {id}
    assert database.event_types() == ["connected", "reconnect_required", "recovered"]


@pytest.mark.parametrize(
    "fields", [{"token_version": 0, "encrypted_tokens": "old"}, {"lease_owner": "late"}]
)
async def test_a_refused_outcome_writes_no_event_and_its_attempt_is_logged_as_superseded(
    database: DatabaseUnderTest, fields: dict[str, Any]
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    fields |= {"event": "reconnect_required", "accounts": (BAR,), "attempt": attempt("refused")}
    assert await apply(store, outcome(id, **fields)) == set()
    assert database.event_types() == ["connected"]
    assert (await store.list_attempts(id))[0].result == "superseded"


async def test_the_attempt_of_an_applied_outcome_is_logged_with_all_its_fields(
    store: Store,
) -> None:
    id = await connect(store)
    await acquire_lease(store, id)
    refused = attempt(
        "refused",
        operation="refresh",
        actor="background",
        tiktok_code="40105",
        message="Token is wrong.",
        request_id="2026112012000001",
        duration_ms=150,
        at=LATER,
    )
    await apply(store, outcome(id, attempt=refused))
    assert (await store.list_attempts(id))[0] == refused


async def test_the_attempt_of_an_owner_without_the_lease_is_logged_as_superseded(
    store: Store,
) -> None:
    id = await connect(store)
    refused = attempt("refused", operation="refresh")
    await apply(store, outcome(id, attempt=refused))
    superseded = refused.model_copy(update={"result": "superseded"})
    assert (await store.list_attempts(id))[0] == superseded


async def test_the_attempt_for_a_connection_that_does_not_exist_is_logged_as_superseded(
    store: Store,
) -> None:
    unknown = "6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60"
    await apply(store, outcome(unknown))
    assert [attempt.result for attempt in await store.list_attempts(unknown)] == ["superseded"]


# Batches


async def test_one_call_applies_500_outcomes_and_refuses_only_those_without_a_lease(
    store: Store,
) -> None:
    limit = asyncio.Semaphore(32)

    async def connect_one(number: int) -> str:
        async with limit:
            return await connect(store, due_at=NOON if number % 5 else LATER)

    ids = await asyncio.gather(*map(connect_one, range(500)))
    leased = {stored.connection_id for stored in await lease_due(store, max_rows=500)}
    assert len(leased) == 400

    def failed(id: str) -> Outcome:
        return outcome(
            id, status="refresh_failing", last_failure=failure(), attempt=attempt("busy")
        )

    assert await apply(store, *map(failed, ids)) == leased
    statuses = {connection.id: connection.status async for connection in store.list_connections()}
    assert {id for id, status in statuses.items() if status == "refresh_failing"} == leased


async def test_an_empty_batch_of_outcomes_changes_nothing(store: Store) -> None:
    assert await apply(store) == set()
