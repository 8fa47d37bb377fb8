"""A grant of TikTok is lost neither by an error at TikTok nor by a crash."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from connector.encryption import EncryptionKey
from connector.errors import CodeSpent, ConfigurationError, JournalUnwritable, TikTokUnreachable
from connector.journal import Entry
from connector.oauth.grant_entries import MAX_PENDING_AGE, UnreleasedClaim
from connector.schedule import MIN_RETRY_DELAY
from tests.credentials import ANNA
from tests.database_views import DatabaseView
from tests.journal.disks import files_up_to
from tests.journal.helpers import files_in
from tests.running_service import Simulator

from .harness import ADVERTISERS, ExchangeHarness, error_of, on_sqlite, running_process

FAULTS = [
    ("status", 503),
    ("code", 50000),
    ("code", 40100),
    ("garbage", "html"),
    ("garbage", "wrong_type"),
    ("drop_after_effect", None),
    ("hang", None),
]
RETRY_SECONDS = MIN_RETRY_DELAY.total_seconds()


def journal_of(directory: Path) -> Path:
    return directory / "connector.journal"


async def leave_grant_pending(harness: ExchangeHarness, **consent: Any) -> tuple[str, str]:
    """Returns the code and state of an exchange that received its grant and then failed."""
    code, state = await harness.consent(**consent), harness.state()
    await harness.simulator.fault(ADVERTISERS, "status", 503)
    with pytest.raises(TikTokUnreachable):
        await harness.post(code, state)
    return code, state


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), FAULTS)
async def test_a_second_post_continues_with_the_grant_if_the_advertiser_call_failed(
    harness: ExchangeHarness, kind: str, value: Any
) -> None:
    harness.service.tiktok_client._deadline = 0.2
    code, state = await harness.consent(advertisers=3), harness.state()
    # The HTTP client repeats a request if a reused connection breaks.
    times = 2 if kind == "drop_after_effect" else 1
    await harness.simulator.fault(ADVERTISERS, kind, value, times=times)
    error = await error_of(harness.post(code, state))
    assert (error.retryable, harness.rows("connections")) == (True, [])
    reply = await harness.post(code, state)
    assert len(reply.advertisers) == 3
    assert harness.exchange_count == 1


async def test_a_pending_grant_is_stored_encrypted(harness: ExchangeHarness) -> None:
    await leave_grant_pending(harness)
    assert harness.row("codes")["encrypted_grant"].startswith("v1.")


async def test_another_process_continues_with_a_pending_grant(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        reply = await other.post(code, state)
    assert await harness.post(code, state) == reply
    assert harness.exchange_count == 1


async def test_a_grant_that_another_process_completed_is_removed_from_the_journal(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        await other.post(code, state)
    harness.clock.advance(RETRY_SECONDS)
    await harness.retry_pending()
    assert harness.service.journal.entry_count == 0
    assert harness.row("connections")["token_version"] == 1


async def test_a_pending_grant_is_retried_only_by_the_process_that_exchanged_the_code(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        await harness.simulator.fault(ADVERTISERS, "status", 503)
        await error_of(other.post(code, state))
        harness.clock.advance(RETRY_SECONDS)
        await other.retry_pending()
        assert harness.rows("connections") == []
    await harness.retry_pending()
    assert harness.row("connections")["status"] == "active"


async def test_a_grant_whose_code_is_not_posted_again_still_becomes_a_connection(
    harness: ExchangeHarness,
) -> None:
    await leave_grant_pending(harness)
    await harness.retry_pending()
    assert harness.rows("connections") == []
    harness.clock.advance(RETRY_SECONDS)
    await harness.retry_pending()
    assert harness.row("user_accounts")["id"] == ANNA
    assert harness.exchange_count == 1


async def test_a_grant_that_was_completed_is_not_retried_again(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    await leave_grant_pending(harness)
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        await other.post(code, state)
    harness.clock.advance(RETRY_SECONDS)
    await harness.retry_pending()
    harness.clock.advance(24 * RETRY_SECONDS)
    assert harness.service.code_exchange.pending_grants.due() == []


async def test_the_retry_delay_of_a_pending_grant_grows_while_tiktok_fails(
    harness: ExchangeHarness,
) -> None:
    await harness.simulator.fault(ADVERTISERS, "status", 503, times=-1)
    with pytest.raises(TikTokUnreachable):
        await harness.connect()
    for _ in range(360):
        harness.clock.advance(10)
        await harness.retry_pending()
    assert 5 <= harness.count_calls(ADVERTISERS) <= 12


async def test_a_pending_grant_is_discarded_after_a_day(harness: ExchangeHarness) -> None:
    await leave_grant_pending(harness)
    harness.clock.advance(MAX_PENDING_AGE.total_seconds() + 1)
    await harness.simulator.fault(ADVERTISERS, "status", 503)
    await harness.retry_pending()
    assert harness.service.journal.entry_count == 0


async def test_the_next_process_completes_a_grant_from_the_journal(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await leave_grant_pending(harness)
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await harness.retry_pending()
        assert harness.row("connections")["status"] == "active"
        assert harness.exchange_count == 1
    assert files_in(journal_of(tmp_path / "first")) == []


async def test_a_grant_that_is_in_the_journal_twice_becomes_one_connection(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await leave_grant_pending(harness)
    async with running_process(database, simulator, tmp_path / "first") as harness:
        recovered, *_ = harness.service.journal.recovered.entries
        await harness.service.journal.append(recovered.entry)
    async with running_process(database, simulator, tmp_path / "first") as harness:
        assert harness.service.journal.entry_count == 2
        await harness.retry_pending()
        assert harness.row("connections")["token_version"] == 1
        assert harness.service.journal.entry_count == 0


async def test_the_start_of_a_process_makes_no_call_to_tiktok(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        code, state = await leave_grant_pending(harness)
    calls = harness.count_calls("")
    async with running_process(database, simulator, tmp_path / "first") as harness:
        assert harness.count_calls("") == calls
        assert (await harness.post(code, state)).success


async def test_a_journaled_grant_that_already_is_a_connection_changes_nothing(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    """The removal of an entry may not have reached the disk before a crash."""
    journal, copy = journal_of(tmp_path / "first"), tmp_path / "copy"
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await simulator.fault(ADVERTISERS, "hang")
        posting = asyncio.create_task(harness.connect())
        await harness.wait_for_call(ADVERTISERS)
        shutil.copytree(journal, copy)
        simulator.state.faults.clear()
        await posting
    calls = harness.count_calls("")
    shutil.copytree(copy, journal, dirs_exist_ok=True)
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await harness.retry_pending()
    assert harness.row("connections")["token_version"] == 1
    assert harness.count_calls("") == calls
    assert files_in(journal) == []


async def test_the_next_start_releases_the_claim_of_a_process_killed_before_tiktok_responded(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        code, state = await harness.consent(), harness.state()
        await simulator.fault("oauth2/access_token", "hang")
        lost = asyncio.create_task(harness.post(code, state))
        await harness.wait_for_call("oauth2/access_token")
        (tmp_path / "next").mkdir()
        shutil.copytree(journal_of(tmp_path / "first"), journal_of(tmp_path / "next"))
        async with running_process(database, simulator, tmp_path / "next") as next_process:
            reply = await next_process.post(code, state)
        simulator.state.faults.clear()
        with pytest.raises(CodeSpent):
            await lost
        assert await harness.post(code, state) == reply


async def test_releasing_a_claim_does_not_delete_the_grant_that_is_stored_with_it(
    harness: ExchangeHarness,
) -> None:
    code, state = await leave_grant_pending(harness)
    row = harness.row("codes")
    claim = UnreleasedClaim(row["code_hash"], row["claimed_by"])
    harness.service.code_exchange._claims.unreleased.append(claim)
    assert (await harness.post(code, state)).success
    assert harness.exchange_count == 1


async def test_a_grant_encrypted_with_a_missing_key_stays_pending_until_the_key_is_configured_again(
    supabase: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(supabase, simulator, tmp_path / "first") as harness:
        code, state = await leave_grant_pending(harness)
    other_key = {"CONNECTOR_ENCRYPTION_KEYS": EncryptionKey.generate("other").format()}
    async with running_process(supabase, simulator, tmp_path / "first", **other_key) as harness:
        oauth_state = harness.service.oauth_states.verify(harness.state(), None)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="lacks"):
                await harness.service.code_exchange.exchange(
                    code, state=state, oauth_state=oauth_state, actor="person"
                )
    async with running_process(supabase, simulator, tmp_path / "first") as harness:
        assert (await harness.post(code, state)).success


@pytest.mark.usefixtures("refused_code")
async def test_a_grant_that_the_store_rejects_does_not_block_the_other_grants(
    supabase: DatabaseView, simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_process(supabase, simulator, tmp_path / "first") as harness:
        fields = {
            "code_hash": "refused",
            "state_hash": "hash",
            "claimed_at": harness.clock.now().isoformat(),
            "encrypted_grant": "text",
            "user_id": ANNA,
            "family": "marketing",
            "redirect_uri": "https://shop.example/callback",
            "issued_at": harness.clock.now().isoformat(),
            "actor": "person",
        }
        await harness.service.journal.append(Entry("grant", fields))
        await leave_grant_pending(harness)
    async with running_process(supabase, simulator, tmp_path / "first") as harness:
        await harness.retry_pending()
        assert (await harness.connect(user_id=ANNA)).success
        assert harness.service.journal.entry_count == 1
    assert "store rejected pending item, not removed from journal kind=grant" in caplog.text


async def test_a_code_is_not_sent_without_space_in_the_journal(
    supabase: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(supabase, simulator, tmp_path / "first") as harness:
        code, state = await harness.consent(), harness.state()
        with files_up_to(1):
            error = await error_of(harness.post(code, state))
        assert isinstance(error, JournalUnwritable)
        assert error.retry_after
        assert harness.exchange_count == 0
        assert (await harness.post(code, state)).success
