"""Rejected codes are limited by state, user and peer, before they cost a row or a call to TikTok."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from connector.errors import CodeSpent, ConnectorError, RateLimited
from connector.model import OAuthState, UserId
from connector.oauth import code_limiter
from connector.oauth.code_limiter import (
    MAX_REJECTED_AND_RUNNING_PER_PEER,
    MAX_REJECTED_CODES,
    MAX_REJECTED_CODES_PER_PEER,
    MAX_REJECTED_CODES_PER_USER,
    REJECTION_WINDOW,
    RejectedCodeLimiter,
)
from tests.credentials import ANNA
from tests.manual_clock import NOON, ManualClock

from .harness import ExchangeHarness, error_of, on_sqlite

WINDOW = REJECTION_WINDOW.total_seconds()


@on_sqlite
async def test_a_state_must_wait_after_too_many_rejected_codes(harness: ExchangeHarness) -> None:
    state = harness.state()
    for n in range(MAX_REJECTED_CODES):
        assert isinstance(await error_of(harness.post(f"invented-{n}", state)), CodeSpent)
    code = await harness.consent()
    for _ in range(5):
        error = await error_of(harness.post(code, state))
        assert isinstance(error, RateLimited)
        assert error.retry_after == WINDOW
    assert harness.exchange_count == MAX_REJECTED_CODES
    assert (await harness.connect(person="mia")).success
    assert isinstance(await error_of(harness.post("invented-0", state)), CodeSpent)
    harness.clock.advance(WINDOW)
    assert (await harness.post(code, state)).success


@on_sqlite
async def test_the_limit_applies_again_after_the_wait(harness: ExchangeHarness) -> None:
    state = harness.state()
    for n in range(MAX_REJECTED_CODES):
        await error_of(harness.post(f"first-{n}", state))
    harness.clock.advance(WINDOW / 2)
    assert isinstance(await error_of(harness.post("too early", state)), RateLimited)
    harness.clock.advance(WINDOW / 2)
    for n in range(MAX_REJECTED_CODES):
        assert isinstance(await error_of(harness.post(f"second-{n}", state)), CodeSpent)
    for n in range(3):
        assert isinstance(await error_of(harness.post(f"third-{n}", state)), RateLimited)
    assert harness.exchange_count == 2 * MAX_REJECTED_CODES


@on_sqlite
async def test_rejected_codes_leave_the_count_one_by_one(harness: ExchangeHarness) -> None:
    state = harness.state()
    for n in range(MAX_REJECTED_CODES):
        await error_of(harness.post(f"invented-{n}", state))
        harness.clock.advance(1)
    harness.clock.advance(WINDOW - MAX_REJECTED_CODES)
    assert isinstance(await error_of(harness.post("one more", state)), CodeSpent)
    assert isinstance(await error_of(harness.post("and one more", state)), RateLimited)


@on_sqlite
async def test_ten_codes_at_once_are_limited_like_ten_codes_in_a_row(
    harness: ExchangeHarness,
) -> None:
    state = harness.state()
    errors = await asyncio.gather(*(error_of(harness.post(f"{n}", state)) for n in range(10)))
    assert sum(isinstance(error, RateLimited) for error in errors) == 10 - MAX_REJECTED_CODES
    assert harness.exchange_count == MAX_REJECTED_CODES


@pytest.mark.parametrize("is_fresh", [False, True], ids=["one state", "a fresh state each"])
@pytest.mark.parametrize("at_once", [False, True], ids=["in a row", "at once"])
@on_sqlite
async def test_invented_codes_write_few_rows_and_spare_the_quota_at_tiktok(
    harness: ExchangeHarness, is_fresh: bool, at_once: bool
) -> None:
    state = harness.state()
    postings = [
        error_of(harness.post(f"invented-{n}", harness.state() if is_fresh else state))
        for n in range(400)
    ]
    if at_once:
        await asyncio.gather(*postings)
    else:
        for posting in postings:
            await posting
    maximum = MAX_REJECTED_CODES_PER_USER if is_fresh else MAX_REJECTED_CODES
    assert harness.exchange_count == maximum
    assert len(harness.rows("codes")) == len(harness.rows("attempts")) == maximum


@on_sqlite
async def test_invented_codes_for_many_users_are_limited_by_peer(harness: ExchangeHarness) -> None:
    async def post(n: int, peer: str) -> ConnectorError:
        user_id = UserId(f"0b5e7a52-91c4-4f0e-8a1d-{n:012}")
        state = harness.state(user_id=user_id)
        oauth_state = harness.service.oauth_states.verify(state, None)
        return await error_of(
            harness.service.code_exchange.exchange(
                f"invented-{n}", state=state, oauth_state=oauth_state, actor="person", peer=peer
            )
        )

    errors = [await post(n, "192.0.2.1") for n in range(100)]
    rejected = sum(isinstance(error, CodeSpent) for error in errors)
    assert rejected == harness.exchange_count == MAX_REJECTED_CODES_PER_PEER
    assert isinstance(await post(100, "192.0.2.2"), CodeSpent)


@on_sqlite
async def test_a_code_that_is_posted_again_does_not_count_against_its_state(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(), harness.state()
    for _ in range(2 * MAX_REJECTED_CODES):
        assert (await harness.post(code, state)).success


@on_sqlite
async def test_a_refused_code_is_counted_in_the_metrics_and_logged_once(
    harness: ExchangeHarness, caplog: pytest.LogCaptureFixture
) -> None:
    state = harness.state()
    for n in range(MAX_REJECTED_CODES + 3):
        await error_of(harness.post(f"invented-{n}", state))
    metrics = harness.service.metrics.render().decode()
    assert 'connector_limited_requests_total{limit="code_state"} 3.0' in metrics
    warnings = [record for record in caplog.records if "refused" in record.getMessage()]
    assert len(warnings) == 1


def state_with(nonce: str | None) -> OAuthState:
    return OAuthState(ANNA, NOON, "marketing", "https://shop.example/callback", nonce=nonce)


def try_codes(
    limiter: RejectedCodeLimiter, oauth_state: OAuthState, number: int, **arguments: Any
) -> int:
    """Returns the number of codes that were admitted. TikTok rejects all of them."""
    admitted = 0
    for n in range(number):
        with (
            suppress(CodeSpent, RateLimited),
            limiter.admit(
                f"{oauth_state.nonce}{n}{arguments}", oauth_state, **{"peer": None} | arguments
            ),
        ):
            admitted += 1
            raise CodeSpent("TikTok rejected the code.")
    return admitted


def test_a_state_without_a_nonce_is_limited_by_its_user() -> None:
    limiter = RejectedCodeLimiter(ManualClock())
    assert try_codes(limiter, state_with(None), 100) == MAX_REJECTED_CODES_PER_USER


def test_running_exchanges_of_one_peer_are_limited_only_beyond_a_hundred() -> None:
    limiter = RejectedCodeLimiter(ManualClock())
    running = []
    for n in range(MAX_REJECTED_AND_RUNNING_PER_PEER):
        state = replace(state_with(f"{n}"), user_id=UserId(f"{n}"))
        running.append(limiter.admit(f"{n}", state, peer="192.0.2.1"))
        running[-1].__enter__()
    with (
        pytest.raises(RateLimited),
        limiter.admit("one more", replace(state_with("x"), user_id=UserId("x")), peer="192.0.2.1"),
    ):
        pass
    for exchange in running:
        exchange.__exit__(None, None, None)
    with limiter.admit("later", replace(state_with("y"), user_id=UserId("y")), peer="192.0.2.1"):
        pass


def test_the_limiter_remembers_a_limited_number_of_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_limiter, "MAX_REMEMBERED_CODES", 1)
    limiter = RejectedCodeLimiter(ManualClock())
    assert try_codes(limiter, state_with("n"), 20) == MAX_REJECTED_CODES
    assert len(limiter._admitted) == 1
