"""A service that is stopped with SIGTERM leaves no connection leased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connector.app import Service
from tests.database_views import DatabaseView, sqlite_view, supabase_view
from tests.journal.helpers import files_in
from tests.oauth.harness import until
from tests.running_service import serving, settings_for

from .harness import Gate, Replica, TokenHarness

TWO_HOURS = 7200.0


@pytest.fixture(params=["sqlite", "supabase", "postgres"])
def database(request: pytest.FixtureRequest, harness: TokenHarness) -> DatabaseView:
    if request.param == "sqlite":
        return sqlite_view(harness.path / "connector.db")
    return supabase_view(request.getfixturevalue("stack"), request.param)


@asynccontextmanager
async def running_service(
    harness: TokenHarness, database: DatabaseView, *, people: int = 3
) -> AsyncIterator[Replica]:
    """Runs the service with its background, and connections that are due."""
    settings = settings_for(harness.path, harness.simulator.url, **database.environ)
    service = Service.build(settings, clock=harness.clock)
    replica = Replica(service)
    async with serving(service):
        await harness.connect_people(replica, people)
        await harness.clock.until_asleep(6)  # all loops of the service
        yield replica


def lease_owners(database: DatabaseView) -> set[str | None]:
    return {row["lease_owner"] for row in database.rows("connections")}


async def test_a_stop_awaits_the_running_round_and_its_refreshes(
    harness: TokenHarness, database: DatabaseView
) -> None:
    service = running_service(harness, database)
    replica = await service.__aenter__()
    gate = replica.database.after_call["lease_due_connections"] = Gate()
    harness.clock.advance(TWO_HOURS)
    await gate.reached.wait()
    assert lease_owners(database) == {replica.owner_id}
    stopping = asyncio.create_task(service.__aexit__(None, None, None))
    done, _ = await asyncio.wait({stopping}, timeout=0.2)
    assert not done
    gate.open.set()
    await stopping
    assert lease_owners(database) == {None}
    assert {row["token_version"] for row in database.rows("connections")} == {2}


async def test_a_stop_releases_leases_whose_response_was_lost(
    harness: TokenHarness, database: DatabaseView
) -> None:
    async with running_service(harness, database) as replica:
        replica.database.faults["lease_due_connections"] = "after"
        harness.clock.advance(TWO_HOURS)
        await until(lambda: lease_owners(database) == {replica.owner_id})
    assert lease_owners(database) == {None}
    assert {row["token_version"] for row in database.rows("connections")} == {1}
    assert not files_in(harness.path / "connector.journal")


async def test_leases_that_cannot_be_released_at_the_stop_are_released_by_the_next_process(
    harness: TokenHarness, database: DatabaseView
) -> None:
    async with running_service(harness, database) as replica:
        replica.database.faults["lease_due_connections"] = "after"
        replica.database.faults["release_leases"] = "before"
        harness.clock.advance(TWO_HOURS)
        await harness.clock.until_asleep(6)
    assert lease_owners(database) == {replica.owner_id}
    await harness.start_replica(database.environ)
    assert lease_owners(database) == {None}


async def test_a_stop_keeps_the_lease_of_tokens_that_only_the_journal_has(
    harness: TokenHarness, database: DatabaseView
) -> None:
    """Another process would otherwise use the old refresh token before they are saved."""
    async with running_service(harness, database, people=1) as replica:
        replica.database.faults["apply_outcomes"] = "before"
        harness.clock.advance(TWO_HOURS)
        await harness.clock.until_asleep(6)
        await replica.refresher.wait_until_idle()
    assert lease_owners(database) == {replica.owner_id}
    await harness.start_replica(database.environ)
    assert lease_owners(database) == {None}
    assert database.row("connections")["token_version"] == 2


async def test_a_process_that_has_leased_nothing_does_not_write_to_the_store_when_it_stops(
    replica: Replica,
) -> None:
    await replica.service.refresh_leases.release_all()
    assert replica.database.calls["release_leases"] == 0
