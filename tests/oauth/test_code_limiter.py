"""A state is limited to a few rejected codes, so that it cannot be used to guess codes."""

from __future__ import annotations

import pytest

from connector.errors import CodeSpent, RateLimited
from connector.model import OAuthState
from connector.oauth import code_limiter
from connector.oauth.code_limiter import (
    MAX_REJECTED_CODES,
    REJECTION_WINDOW,
    RejectedCodeLimiter,
)
from tests.credentials import ANNA
from tests.manual_clock import NOON, ManualClock

from .harness import ExchangeHarness, error_of, on_sqlite


@on_sqlite
async def test_a_state_must_wait_after_too_many_rejected_codes(harness: ExchangeHarness) -> None:
    state = harness.state()
    for n in range(MAX_REJECTED_CODES):
        assert isinstance(await error_of(harness.post(f"invented-{n}", state)), CodeSpent)
    code = await harness.consent()
    for _ in range(5):
        error = await error_of(harness.post(code, state))
        assert isinstance(error, RateLimited)
        assert error.retry_after == REJECTION_WINDOW.total_seconds()
    assert harness.exchange_count == MAX_REJECTED_CODES
    assert (await harness.connect(person="mia")).success
    assert isinstance(await error_of(harness.post("invented-0", state)), CodeSpent)
    harness.clock.advance(REJECTION_WINDOW.total_seconds())
    assert (await harness.post(code, state)).success


@on_sqlite
async def test_a_code_that_is_posted_again_does_not_count_against_its_state(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(), harness.state()
    for _ in range(2 * MAX_REJECTED_CODES):
        assert (await harness.post(code, state)).success


def state_with(nonce: str | None) -> OAuthState:
    return OAuthState(ANNA, NOON, "marketing", "https://shop.example/callback", nonce=nonce)


def reject_codes(limiter: RejectedCodeLimiter, oauth_state: OAuthState) -> None:
    for _ in range(MAX_REJECTED_CODES):
        limiter.record_rejection(oauth_state)


def test_a_state_without_a_nonce_is_not_limited() -> None:
    limiter = RejectedCodeLimiter(ManualClock())
    reject_codes(limiter, state_with(None))
    limiter.check(state_with(None))


def test_the_limiter_forgets_the_oldest_state_when_it_tracks_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(code_limiter, "MAX_TRACKED_STATES", 1)
    limiter = RejectedCodeLimiter(ManualClock())
    reject_codes(limiter, state_with("old"))
    reject_codes(limiter, state_with("new"))
    limiter.check(state_with("old"))
    with pytest.raises(RateLimited):
        limiter.check(state_with("new"))
