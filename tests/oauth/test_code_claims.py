"""Only one process redeems a code, and an error leaves the code usable if it may still work."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from connector.encryption import pending_grant_associated_data
from connector.errors import (
    Busy,
    CodeSpent,
    ConfigurationError,
    ConnectorError,
    InvalidRequest,
    RateLimited,
    TikTokRefused,
    TikTokUnreachable,
)
from connector.oauth.code_claims import CLAIM_LEASE, CLAIM_WAIT_SECONDS
from connector.schedule import MIN_RETRY_DELAY
from connector.store import Replacement
from tests.database_views import DatabaseView
from tests.running_service import Simulator
from tests.tokens.harness import Gate, Replica

from .harness import ADVERTISERS, ExchangeHarness, error_of, on_sqlite, running_process
from .test_pending_grants import leave_grant_pending


async def test_concurrent_posts_to_two_processes_cause_one_exchange(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await harness.consent(advertisers=3), harness.state()
    await harness.simulator.fault("advertiser/get", "hang")
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        first = asyncio.gather(*(harness.post(code, state) for _ in range(13)))
        await harness.wait_for_call("advertiser/get")
        second = asyncio.gather(*(other.post(code, state) for _ in range(12)))
        harness.simulator.state.faults.clear()
        replies = await first + await harness.advance_until_done(second)
    assert len(replies) == 25
    assert all(reply == replies[0] for reply in replies)
    assert harness.exchange_count == 1


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("status", 502, TikTokUnreachable),
        ("code", 50000, TikTokUnreachable),
        ("code", 40100, RateLimited),
        ("code", 40101, ConfigurationError),
        ("code", 40105, TikTokRefused),
        ("code", 40113, ConfigurationError),
        ("garbage", "html", TikTokUnreachable),
        ("garbage", "truncated", TikTokUnreachable),
    ],
)
async def test_a_transient_error_releases_the_claim_of_the_code(
    harness: ExchangeHarness, kind: str, value: Any, expected: type[ConnectorError]
) -> None:
    code, state = await harness.consent(), harness.state()
    await harness.simulator.fault("oauth2/access_token", kind, value)
    with pytest.raises(expected):
        await harness.post(code, state)
    assert (await harness.post(code, state)).success


async def test_a_claim_that_its_owner_never_ends_expires(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    """This happens if the process that has the claim is lost together with its disk."""
    async with running_process(database, simulator, tmp_path / "first") as harness:
        code, state = await harness.consent(), harness.state()
        await simulator.fault("oauth2/access_token", "hang")
        lost = asyncio.create_task(harness.post(code, state))
        await harness.wait_for_call("oauth2/access_token")
        async with running_process(database, simulator, tmp_path / "second") as other:
            waiting = asyncio.create_task(other.post(code, state))
            await harness.clock.until_asleep()
            harness.clock.advance(CLAIM_WAIT_SECONDS)
            assert isinstance(await error_of(waiting), Busy)
            harness.clock.advance(CLAIM_LEASE.total_seconds() - CLAIM_WAIT_SECONDS)
            assert (await other.post(code, state)).success
        simulator.state.faults.clear()
        assert isinstance(await error_of(lost), CodeSpent)
        assert (await harness.post(code, state)).success


async def test_a_pending_grant_is_not_completed_while_another_process_has_the_claim(
    harness: ExchangeHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, state = await harness.consent(), harness.state()
    await harness.simulator.fault(ADVERTISERS, "status", 503)
    assert isinstance(await error_of(harness.post(code, state)), TikTokUnreachable)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        await harness.simulator.fault(ADVERTISERS, "hang")
        posting = asyncio.create_task(other.post(code, state))
        await harness.wait_for_call(ADVERTISERS, count=2)
        harness.clock.advance(MIN_RETRY_DELAY.total_seconds())
        with caplog.at_level(logging.INFO):
            await harness.retry_pending()
        assert "code exchange failed error=busy" in caplog.text
        assert harness.rows("connections") == []
        harness.simulator.state.faults.clear()
        reply = await posting
    assert await harness.post(code, state) == reply
    assert harness.row("connections")["token_version"] == 1


async def test_a_pending_grant_is_completed_after_the_claim_of_another_process_has_expired(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as other:
        await harness.simulator.fault(ADVERTISERS, "hang")
        lost = asyncio.create_task(other.post(code, state))
        await harness.wait_for_call(ADVERTISERS, count=2)
        harness.clock.advance(MIN_RETRY_DELAY.total_seconds())
        await harness.retry_pending()
        assert harness.rows("connections") == []
        harness.clock.advance(CLAIM_LEASE.total_seconds())
        await harness.retry_pending()
        assert harness.row("connections")["status"] == "active"
        harness.simulator.state.faults.clear()
        await asyncio.wait([lost])


@on_sqlite
async def test_a_pending_grant_is_not_retried_while_its_code_is_posted_again(
    harness: ExchangeHarness,
) -> None:
    code, state = await leave_grant_pending(harness)
    harness.clock.advance(MIN_RETRY_DELAY.total_seconds())
    database = Replica(harness.service).database
    gate = database.before_call["claim_codes"] = Gate()
    posting = asyncio.create_task(harness.post(code, state))
    await gate.reached.wait()
    retrying = asyncio.create_task(harness.retry_pending())
    gate.open.set()
    assert (await posting).success
    await retrying
    assert database.calls["claim_codes"] == 1


@on_sqlite
@pytest.mark.parametrize("continued_by", ["a second post", "the background"])
async def test_a_failed_retry_does_not_undo_the_rotation_of_the_key_of_a_grant(
    harness: ExchangeHarness, continued_by: str
) -> None:
    code, state = await harness.consent(), harness.state()
    await harness.simulator.fault(ADVERTISERS, "status", 503, times=2)
    await error_of(harness.post(code, state))
    row, cipher = harness.row("codes"), harness.service.cipher
    code_hash, old = row["code_hash"], row["encrypted_grant"]
    associated_data = pending_grant_associated_data(code_hash)
    text = cipher.decrypt(old, associated_data=associated_data)
    new = cipher.encrypt(text, associated_data=associated_data)
    replacement = Replacement(row_key=code_hash, old=old, new=new)
    await harness.service.store.replace_ciphertexts("codes", [replacement])
    if continued_by == "a second post":
        await error_of(harness.post(code, state))
    else:
        harness.clock.advance(MIN_RETRY_DELAY.total_seconds())
        await harness.retry_pending()
    assert harness.count_calls(ADVERTISERS) == 2
    assert harness.row("codes")["encrypted_grant"] == new


async def test_a_family_that_is_not_configured_is_refused_before_its_code_is_claimed(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    without_login_kit = {"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""}
    async with running_process(
        database, simulator, tmp_path / "first", **without_login_kit
    ) as harness:
        state = harness.state("login_kit")
        with pytest.raises(InvalidRequest):
            await harness.post(await harness.consent("login_kit"), state)
        assert harness.rows("codes") == []
