"""An event reports 14 days before that a grant expires."""

from __future__ import annotations

from datetime import timedelta

from connector.store import Store
from tests.manual_clock import NOON

from .builders import (
    DAY,
    HOUR,
    acquire_lease,
    apply,
    apply_status,
    connect,
    new_user_id,
    outcome,
    stored_tokens,
)
from .conftest import DatabaseUnderTest


async def refresh(store: Store, id: str, *, until: timedelta, at: timedelta) -> None:
    """Refreshes the tokens at NOON + `at`. The grant then expires at NOON + `until`."""
    version = (await stored_tokens(store, id)).token_version
    now = NOON + at
    await acquire_lease(store, id, token_version=version, now=now)
    refreshed = outcome(
        id,
        token_version=version,
        encrypted_tokens="new",
        expires_at=now + HOUR,
        refresh_expires_at=NOON + until,
    )
    assert await apply(store, refreshed, now=now) == {id}


async def test_a_grant_that_expires_is_reported_once_14_days_before(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    expiry = 365 * DAY
    await refresh(store, id, until=expiry, at=351 * DAY - HOUR)
    assert database.event_types() == ["connected"]
    await refresh(store, id, until=expiry, at=351 * DAY)
    assert database.event_types() == ["connected", "expiring"]
    await refresh(store, id, until=expiry - HOUR, at=352 * DAY)
    await refresh(store, id, until=expiry + HOUR, at=364 * DAY)
    await apply_status(store, id, "active")
    assert database.event_types() == ["connected", "expiring"]


async def test_an_extended_grant_is_reported_again_when_it_expires(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    await refresh(store, id, until=14 * DAY, at=0 * DAY)
    await refresh(store, id, until=365 * DAY, at=13 * DAY)
    assert database.event_types() == ["connected", "expiring"]
    await refresh(store, id, until=365 * DAY, at=352 * DAY)
    assert database.event_types() == ["connected", "expiring", "expiring"]


async def test_a_new_grant_that_expires_soon_is_reported_again(
    database: DatabaseUnderTest,
) -> None:
    store, user = await database.open_store(), new_user_id()
    id = await connect(store, user)
    await refresh(store, id, until=13 * DAY, at=0 * DAY)
    await connect(store, user)
    await refresh(store, id, until=13 * DAY, at=0 * DAY)
    assert database.event_types() == ["connected", "expiring", "reconnected", "expiring"]


async def test_a_connection_that_has_ended_does_not_expire(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    id = await connect(store, expires_at=NOON + HOUR)
    await apply_status(store, id, "reconnect_required", event="reconnect_required")
    assert database.event_types() == ["connected", "reconnect_required"]
