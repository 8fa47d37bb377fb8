"""A bug or an unreadable journal entry loses neither its own grant nor other grants."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connector.errors import InternalError
from connector.journal import Entry
from tests.database_views import DatabaseView
from tests.running_service import Simulator

from .harness import ExchangeHarness, on_sqlite, running_process
from .test_pending_grants import RETRY_SECONDS, leave_grant_pending


@on_sqlite
@pytest.mark.parametrize("continued_by", ["a second post", "the background"])
async def test_a_bug_after_the_exchange_does_not_lose_the_grant(
    harness: ExchangeHarness, monkeypatch: pytest.MonkeyPatch, continued_by: str
) -> None:
    code, state = await harness.consent(), harness.state()
    creator = harness.service.code_exchange._connection_creator
    monkeypatch.setattr(creator, "_user_accounts_token", None)
    with pytest.raises(InternalError):
        await harness.post(code, state)
    monkeypatch.undo()
    assert harness.row("codes")["encrypted_grant"]
    if continued_by == "a second post":
        await harness.post(code, state)
    harness.clock.advance(RETRY_SECONDS)
    await harness.retry_pending()
    assert harness.row("connections")["token_version"] == 1
    assert harness.exchange_count == 1


@on_sqlite
async def test_a_bug_before_the_exchange_releases_the_claim(
    harness: ExchangeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, state = await harness.consent(), harness.state()
    monkeypatch.setattr(harness.service.code_exchange, "_tiktok_client", None)
    with pytest.raises(InternalError):
        await harness.post(code, state)
    monkeypatch.undo()
    assert (await harness.post(code, state)).success


@on_sqlite
async def test_a_grant_that_cannot_be_journaled_still_becomes_a_connection(
    harness: ExchangeHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(harness.service.journal, "append", None)
    assert (await harness.connect()).success
    assert "could not journal new grant, continuing without journal entry" in caplog.text


@on_sqlite
async def test_a_recovered_grant_that_the_store_rejects_is_retried_later(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await leave_grant_pending(harness)
    database.script("create trigger no before update on codes begin select raise(abort, 'no'); end")
    async with running_process(database, simulator, tmp_path / "first") as harness:
        harness.clock.advance(RETRY_SECONDS)
        await harness.retry_pending()
        database.script("drop trigger no")
        harness.clock.advance(4 * RETRY_SECONDS)
        await harness.retry_pending()
        assert harness.row("connections")["status"] == "active"
        assert harness.exchange_count == 1


@on_sqlite
async def test_a_grant_whose_claim_the_store_rejects_is_retried_after_a_growing_delay(
    harness: ExchangeHarness, caplog: pytest.LogCaptureFixture
) -> None:
    await leave_grant_pending(harness)
    harness.database.script(
        "create trigger no before update on codes begin select raise(abort, 'no'); end"
    )
    with caplog.at_level(logging.INFO):
        for _ in range(60):
            harness.clock.advance(2)
            await harness.retry_pending()
    assert 2 <= caplog.text.count("code exchange failed error=internal_error") <= 4


@on_sqlite
@pytest.mark.parametrize("kind", ["grant", "code"])
async def test_an_unreadable_journal_entry_does_not_block_the_other_entries(
    database: DatabaseView, simulator: Simulator, tmp_path: Path, kind: str
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        await harness.service.journal.append(Entry(kind, {"unknown": "field"}))
        await leave_grant_pending(harness)
    async with running_process(database, simulator, tmp_path / "first") as harness:
        harness.clock.advance(RETRY_SECONDS)
        await harness.retry_pending()
        assert harness.row("connections")["status"] == "active"
        assert harness.service.journal.entry_count == 1
