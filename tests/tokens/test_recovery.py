"""Rotated tokens are never lost by a failure between TikTok's response and the store."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from connector.app import Service
from connector.errors import JournalUnwritable, StoreUnreachable
from connector.journal import Entry
from tests.journal.disks import files_up_to, mounted
from tests.journal.helpers import damage, entries_on_disk, own_file
from tests.running_service import AS_SERVER, serving, settings_for
from tests.supabase_stack import Stack

from .harness import REFRESH_PATH, Gate, Replica, TokenHarness


async def test_new_tokens_are_journaled_before_they_are_saved(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    await gate.reached.wait()
    entries = await entries_on_disk(replica.service.journal)
    gate.open.set()
    await refreshing
    [entry] = entries
    assert entry is not None
    assert (entry.fields["connection_id"], entry.fields["token_version"]) == (connection_id, 1)
    assert replica.service.journal.entry_count == 0


async def test_tokens_that_the_store_rejected_are_served_from_memory_and_saved_later(
    harness: TokenHarness, replica: Replica
) -> None:
    """A full database can still be read, but its tokens are older than those in memory."""
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    replica.database.faults["apply_outcomes"] = "before"
    first = await replica.read(connection_id)
    assert harness.is_accepted(first.tokens)
    assert (await replica.stored(connection_id)).token_version == 1
    assert (await replica.read(connection_id)).tokens == first.tokens
    assert await harness.refresh_count() == 1
    replica.database.faults.clear()
    await replica.run_background()
    assert await replica.tokens(connection_id) == first.tokens
    assert await harness.refresh_count() == 1


async def test_unsaved_tokens_are_saved_before_any_new_lease(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    replica.database.calls.clear()
    for request in (replica.refresh(connection_id), replica.background.run_batch()):
        with pytest.raises(StoreUnreachable):
            await request
    assert replica.database.calls["apply_outcomes"] == 2
    assert (
        not replica.database.calls["acquire_refresh_lease"]
        + replica.database.calls["lease_due_connections"]
    )
    assert await harness.refresh_count() == 1


async def test_a_save_whose_response_was_lost_takes_effect_once(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "after"
    stored = await replica.refresh(connection_id)
    assert stored.token_version == (await replica.stored(connection_id)).token_version == 2
    replica.database.faults.clear()
    await replica.run_background()
    assert await replica.stored(connection_id) == stored
    assert harness.is_accepted(await replica.tokens(connection_id))


async def test_a_refresh_uses_the_tokens_of_the_row_if_unsaved_tokens_were_superseded(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    harness.advance_into_margin((await replica.read(connection_id)).tokens)
    replica.database.faults.clear()
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    await harness.connect(other)
    reconnected = await other.tokens(connection_id)
    gate.open.set()
    assert harness.is_accepted((await reading).tokens)
    assert harness.is_rotated(reconnected)


async def test_a_restarted_process_saves_the_journaled_tokens_first(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(connection_id))
    await gate.reached.wait()
    await replica.kill()
    with pytest.raises(asyncio.CancelledError):
        await reading
    restarted = await harness.start_replica()
    assert harness.is_accepted(await restarted.tokens(connection_id))
    assert await restarted.last_attempt(connection_id) == "read ok None"
    stats = await harness.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_journaled_tokens_are_saved_when_a_store_that_was_unreachable_at_the_start_responds_again(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    await replica.kill()
    restarted = await harness.start_replica(faults={"apply_outcomes": "before"})
    assert (await restarted.stored(connection_id)).token_version == 1
    assert harness.is_accepted((await restarted.read(connection_id)).tokens)
    restarted.database.faults.clear()
    await restarted.run_background()
    assert (await restarted.stored(connection_id)).token_version == 2
    assert harness.is_accepted(await restarted.tokens(connection_id))
    assert await harness.refresh_count() == 1


async def test_a_journal_entry_that_is_recovered_twice_changes_nothing(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    gate = replica.database.before_call["apply_outcomes"] = Gate()
    refreshing = asyncio.create_task(replica.refresh(connection_id))
    await gate.reached.wait()
    journal = harness.path / "connector.journal"
    shutil.copytree(journal, harness.path / "copy")
    gate.open.set()
    await refreshing
    await replica.refresh(connection_id)
    newest = await replica.tokens(connection_id)
    await replica.kill()
    shutil.copytree(harness.path / "copy", journal, dirs_exist_ok=True)
    restarted = await harness.start_replica()
    assert await restarted.tokens(connection_id) == newest
    assert (await restarted.store.list_attempts(connection_id))[0].result == "superseded"


async def test_a_torn_last_journal_entry_does_not_affect_other_entries(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    await replica.service.journal.append(Entry("refresh", {"id": "torn"}))
    database = own_file(replica.service.journal).path
    await replica.kill()
    damage(database.with_name(f"{database.name}-wal"), b'"torn"', b'"t\0rn"')
    restarted = await harness.start_replica()
    assert harness.is_accepted(await restarted.tokens(connection_id))
    assert restarted.service.journal.entry_count == 0


async def test_an_unreadable_journal_entry_does_not_prevent_the_start(
    harness: TokenHarness, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    connection_id = await harness.connect(replica)
    await replica.service.journal.append(Entry("refresh", {"from": "another version"}))
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    await replica.kill()
    restarted = await harness.start_replica()
    assert harness.is_accepted(await restarted.tokens(connection_id))
    assert "unreadable journal entry not removed" in caplog.text
    entries = [recovered.entry for recovered in restarted.service.journal.recovered.entries]
    assert Entry("refresh", {"from": "another version"}) in entries


async def test_no_refresh_token_is_used_on_a_full_disk_and_the_error_is_reported(
    harness: TokenHarness, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    stack.truncate()
    replica = await harness.start_replica(stack.environment())
    connection_id = await harness.connect(replica)
    old = await replica.tokens(connection_id)
    harness.advance_into_margin(old)
    calls = (await harness.simulator.stats())["calls"]
    with files_up_to(0):
        assert (await replica.read(connection_id)).tokens == old
        with pytest.raises(JournalUnwritable, match=r"cannot be written: disk I/O error"):
            await replica.refresh(connection_id)
        assert replica.service.journal.write_error
    assert (await harness.simulator.stats())["calls"] == calls
    connection = await replica.connection(connection_id)
    assert connection.status == "refresh_failing"
    assert connection.last_failure is not None
    assert connection.last_failure.code == "journal_unwritable"
    assert "does not use a code or a refresh token" in connection.last_failure.message
    assert str(harness.path) not in connection.last_failure.message
    assert await replica.last_attempt(connection_id) == "refresh journal_unwritable None"
    assert "journal unwritable" in caplog.text

    harness.clock.advance(60)
    await replica.run_background()
    connection = await replica.connection(connection_id)
    assert (connection.status, connection.last_failure) == ("active", None)
    assert replica.service.journal.write_error is None
    types = [
        row["type"] for row in stack.sql("select type from connector.events order by position")
    ]
    assert types == ["connection.connected", "connection.failing", "connection.recovered"]


async def test_the_old_token_is_served_on_a_read_only_disk_and_the_error_is_reported(
    harness: TokenHarness,
) -> None:
    folder = harness.path / "folder"
    journal = {"CONNECTOR_JOURNAL": str(folder / "connector.journal")}
    service = Service.build(
        settings_for(harness.path, harness.simulator.url, **journal), clock=harness.clock
    )
    with mounted("size=16m") as writable, mounted("ro") as read_only:
        folder.symlink_to(writable)
        async with serving(service) as url:
            replica, http = Replica(service), harness.simulator.http
            connection_id = await harness.connect(replica)
            old = await replica.tokens(connection_id)
            calls = (await harness.simulator.stats())["calls"]
            folder.unlink()
            folder.symlink_to(read_only)
            harness.advance_into_margin(old)
            assert (await replica.read(connection_id)).tokens == old
            with pytest.raises(JournalUnwritable, match="cannot be written"):
                await replica.refresh(connection_id)
            assert (await harness.simulator.stats())["calls"] == calls
            assert await replica.last_attempt(connection_id) == "refresh journal_unwritable None"
            async with http.get(f"{url}/readyz") as response:
                assert (response.status, (await response.json())["code"]) == (
                    503,
                    "journal_unwritable",
                )
            async with http.get(f"{url}/metrics", headers=AS_SERVER) as response:
                assert "connector_journal_write_failing 1.0" in await response.text()

            folder.unlink()
            folder.symlink_to(writable)
            await replica.refresh(connection_id)
            assert await harness.refresh_count() == 1
            async with http.get(f"{url}/readyz") as response:
                assert response.status == 200


async def test_new_tokens_stay_in_memory_if_journal_and_store_both_fail(
    harness: TokenHarness, replica: Replica
) -> None:
    """Space was reserved, TikTok has responded, and now only this process has the tokens."""
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "hang")
    reading = asyncio.create_task(replica.read(connection_id))
    await harness.wait_for_tiktok_calls()
    with files_up_to(0):
        harness.end_faults()
        usable = await reading
        assert harness.is_accepted(usable.tokens)
        assert (await replica.stored(connection_id)).token_version == 1
        assert (await replica.read(connection_id)).tokens == usable.tokens
    await replica.run_background()
    assert await replica.tokens(connection_id) == usable.tokens
    assert await harness.refresh_count() == 1
