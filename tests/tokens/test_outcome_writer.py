"""Outcomes are saved in batches, and a rejected outcome blocks only its own connection."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from connector.attempts import AttemptTimer
from connector.errors import InternalError, ReconnectRequired, StoreUnreachable
from connector.store import Outcome

from .harness import Gate, Replica, TokenHarness


def reject_outcomes_of(harness: TokenHarness, connection_id: str) -> None:
    """Adds a rule to the database that no outcome of this connection satisfies."""
    with closing(sqlite3.connect(harness.path / "connector.db")) as connection:
        connection.execute(
            "create trigger reject before update of token_version on connections"
            f" when new.id = '{connection_id}' begin select raise(abort, 'no'); end"
        )


def accept_all_outcomes(harness: TokenHarness) -> None:
    with closing(sqlite3.connect(harness.path / "connector.db")) as connection:
        connection.execute("drop trigger reject")


async def test_outcomes_that_complete_during_a_save_are_saved_in_one_call(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await harness.connect_people(replica, 30)
    attempt = AttemptTimer.start("revoke", actor="user", clock=harness.clock).finish()
    first, *other_outcomes = [
        Outcome.tokens_deleted(await replica.stored(id), attempt, lease_owner="owner")
        for id in connection_ids
    ]
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    saving = asyncio.create_task(replica.outcome_writer.write(first))
    await gate.reached.wait()
    saving_others = asyncio.gather(*map(replica.outcome_writer.write, other_outcomes))
    gate.open.set()
    await saving
    await saving_others
    assert replica.database.calls["apply_outcomes"] == 2


async def test_an_outcome_that_the_store_rejects_does_not_affect_other_outcomes_in_its_batch(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await harness.connect_people(replica, 10)
    reject_outcomes_of(harness, connection_ids[4])
    await asyncio.gather(*map(replica.refresh, connection_ids))
    versions = [
        (await replica.stored(connection_id)).token_version for connection_id in connection_ids
    ]
    assert versions == [2, 2, 2, 2, 1, 2, 2, 2, 2, 2]


async def test_a_rejected_outcome_does_not_stop_the_refreshes_of_other_connections(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await harness.connect_people(replica, 3)
    reject_outcomes_of(harness, connection_ids[0])
    await replica.refresh(connection_ids[0])
    await replica.refresh(connection_ids[1])
    harness.clock.advance(2 * 3600)
    await replica.run_background()
    assert [
        (await replica.stored(connection_id)).token_version for connection_id in connection_ids
    ] == [1, 3, 2]


async def test_a_rejected_outcome_is_retried_once_a_minute(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    reject_outcomes_of(harness, connection_id)
    await replica.refresh(connection_id)
    replica.database.calls.clear()
    for _ in range(60):
        await replica.run_background()
        harness.clock.advance(2)
    assert replica.database.calls["apply_outcomes"] <= 3


async def test_unsaved_tokens_are_served_and_their_used_predecessor_is_never_sent(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    reject_outcomes_of(harness, connection_id)
    await replica.refresh(connection_id)
    usable = await replica.read(connection_id)
    assert harness.is_accepted(usable.tokens)
    harness.clock.advance(2 * 3600)
    await replica.run_background()
    with pytest.raises(InternalError):
        await replica.refresh(connection_id)
    stats = await harness.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)
    accept_all_outcomes(harness)
    harness.clock.advance(60)
    await replica.run_background()
    assert (await replica.stored(connection_id)).token_version == 3
    assert harness.is_accepted(await replica.tokens(connection_id))
    assert (await harness.simulator.stats())["dead_refresh_token_presented"] == 0


async def test_an_outcome_without_tokens_is_not_retried_after_the_store_was_unreachable(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    await harness.simulator.post("/_sim/revoke", {"person": "person 0"})
    replica.database.faults["apply_outcomes"] = "before"
    with pytest.raises(ReconnectRequired):
        await replica.refresh(connection_id)
    assert not replica.outcome_writer.unsaved
    assert (await replica.stored(connection_id)).status == "active"


async def test_unsaved_tokens_are_saved_at_shutdown(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    with pytest.raises(StoreUnreachable):
        await replica.background.run_batch()
    assert len(replica.outcome_writer.unsaved) == 1
    replica.database.faults.clear()
    await replica.service.token_recovery.close()
    assert not replica.outcome_writer.unsaved
    assert (await replica.stored(connection_id)).token_version == 2


async def test_unsaved_tokens_do_not_undo_a_disconnect(
    harness: TokenHarness, replica: Replica
) -> None:
    [connection_id] = await harness.connect_people(replica, 1)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    await replica.store.mark_disconnected(connection_id, now=harness.clock.now())
    with pytest.raises(ReconnectRequired):
        await replica.read(connection_id)
    replica.database.faults.clear()
    await replica.run_background()
    assert (await replica.connection(connection_id)).status == "revoked"
    assert not harness.has_active_grant("person 0")
