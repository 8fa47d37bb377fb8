"""`Outcome.apply_to` predicts the row exactly as each database changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.attempts import AttemptTimer
from connector.model import Account, Ciphertext, Failure, StoredTokens, Tokens
from connector.store import Outcome
from connector.tokens import REFRESH_LEASE
from tests.manual_clock import NOON, ManualClock

from .harness import Replica, TokenHarness

OWNER = "owner"
ATTEMPT = AttemptTimer.start("refresh", actor="user", clock=ManualClock()).finish()
FAILURE = Failure(code="slow_down", message="Wait.", since=NOON, retry_at=NOON + timedelta(hours=1))
TOKENS = Tokens(
    SecretStr("access"), SecretStr("refresh"), NOON + timedelta(hours=2), NOON + timedelta(days=9)
)


def refreshed(stored: StoredTokens) -> Outcome:
    return Outcome.refreshed(
        stored,
        ATTEMPT,
        lease_owner=OWNER,
        tokens=TOKENS,
        encrypted_tokens=Ciphertext("newer"),
        verified_at=NOON,
        due_at=NOON,
    )


def verified(stored: StoredTokens) -> Outcome:
    accounts = (Account(id="1"),)
    return Outcome.verified(
        stored,
        ATTEMPT,
        lease_owner=OWNER,
        verified_at=NOON,
        due_at=NOON,
        accounts=accounts,
        account_token=None,
    )


def failed(stored: StoredTokens) -> Outcome:
    return Outcome.failed(
        stored, ATTEMPT, lease_owner=OWNER, status="refresh_failing", failure=FAILURE
    )


def reconnect_required(stored: StoredTokens) -> Outcome:
    return Outcome.reconnect_required(stored, ATTEMPT, lease_owner=OWNER, failure=FAILURE)


def tokens_deleted(stored: StoredTokens) -> Outcome:
    return Outcome.tokens_deleted(stored, ATTEMPT, lease_owner=OWNER)


OUTCOMES = [refreshed, verified, failed, reconnect_required, tokens_deleted]


@pytest.fixture(params=["sqlite", "supabase", "postgres"])
async def replica(request: pytest.FixtureRequest, harness: TokenHarness) -> Replica:
    environment: Mapping[str, str] = {}
    if request.param != "sqlite":
        stack = request.getfixturevalue("stack")
        stack.truncate()
        environment = stack.environment()
        if request.param == "postgres":
            environment = {**environment, "SUPABASE_DB_URL": stack.dsn}
    return await harness.start_replica(environment)


@pytest.mark.parametrize("make_outcome", OUTCOMES)
@pytest.mark.parametrize("is_disconnected", [False, True], ids=["active", "disconnected"])
async def test_an_outcome_predicts_the_row_after_the_database_has_applied_it(
    harness: TokenHarness,
    replica: Replica,
    make_outcome: Callable[[StoredTokens], Outcome],
    is_disconnected: bool,
) -> None:
    connection_id, now = await harness.connect(replica), harness.clock.now()
    leased = await replica.store.acquire_refresh_lease(
        connection_id, token_version=1, owner=OWNER, now=now, lease=REFRESH_LEASE
    )
    assert leased is not None
    if is_disconnected:
        await replica.store.mark_disconnected(connection_id, now=now)
    stored = await replica.stored(connection_id)
    outcome = make_outcome(leased)
    assert await replica.store.apply_outcomes([outcome], now=now) == {connection_id}
    assert await replica.stored(connection_id) == outcome.apply_to(stored)
