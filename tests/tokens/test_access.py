"""A read returns a token that is valid for at least the refresh margin, or a clear error."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector import schedule
from connector.connections import Scope
from connector.errors import (
    ConfigurationError,
    ConnectorError,
    NotFound,
    ReconnectRequired,
    StoreUnreachable,
    TikTokUnreachable,
)

from .harness import REFRESH_PATH, Replica, TokenHarness

UNKNOWN = "0d8f5d3e-0000-4000-8000-000000000000"
HOUR = 3600


async def test_reading_a_fresh_token_causes_one_store_call_and_no_tiktok_call(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    before = (await harness.simulator.stats())["calls"]
    replica.database.calls.clear()
    usable = await replica.read(connection_id)
    assert harness.is_accepted(usable.tokens)
    assert replica.database.calls == {"get_stored_tokens": 1}
    assert (await harness.simulator.stats())["calls"] == before


async def test_a_token_within_the_refresh_margin_is_refreshed_before_it_is_returned(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    old = await replica.tokens(connection_id)
    harness.advance_into_margin(old)
    usable = await replica.read(connection_id)
    assert usable.tokens.access != old.access
    assert schedule.is_fresh(usable.tokens, harness.clock.now())
    assert harness.is_accepted(usable.tokens)
    assert await replica.last_attempt(connection_id) == "read ok None"
    assert usable.tokens == await replica.tokens(connection_id)


@pytest.mark.parametrize("family", ["login_kit", "accounts"])
@pytest.mark.parametrize("lifetime", [24 * HOUR, 2 * HOUR, 300])
async def test_the_schedule_follows_the_lifetime_that_tiktok_returned(
    harness: TokenHarness, replica: Replica, family: str, lifetime: int
) -> None:
    await harness.simulator.post("/_sim/settings", {"access_seconds": lifetime})
    connection_id = await harness.connect(replica, family)
    harness.advance_into_margin(await replica.tokens(connection_id))
    usable = await replica.read(connection_id)
    assert usable.stored.expires_at == harness.clock.now() + timedelta(seconds=lifetime)
    connection = await replica.connection(connection_id)
    assert connection.due_at is not None
    fraction = (connection.due_at - harness.clock.now()).total_seconds() / lifetime
    assert 0.70 <= fraction <= 0.78


async def test_a_lifetime_that_tiktok_changes_applies_from_the_next_refresh_on(
    harness: TokenHarness, replica: Replica
) -> None:
    await harness.simulator.post("/_sim/settings", {"access_seconds": 24 * HOUR})
    connection_id = await harness.connect(replica)
    await harness.simulator.post("/_sim/settings", {"access_seconds": 300})
    await replica.refresh(connection_id)
    harness.clock.advance(245)
    assert not schedule.is_fresh(await replica.tokens(connection_id), harness.clock.now())
    await replica.read(connection_id)
    assert schedule.is_fresh(await replica.tokens(connection_id), harness.clock.now())


async def test_a_token_without_a_lifetime_is_valid_until_it_is_revoked(
    harness: TokenHarness, replica: Replica
) -> None:
    settings = {"omit_expires_in": True, "access_seconds": 365 * 24 * HOUR}
    await harness.simulator.post("/_sim/settings", settings)
    connection_id = await harness.connect(replica)
    [grant] = [
        g for g in harness.simulator_state.tokens.grants_of("robin") if g.family == "login_kit"
    ]
    await replica.refresh(connection_id)
    assert grant.is_active
    assert (await replica.stored(connection_id)).expires_at is None
    harness.clock.advance(30 * 24 * HOUR)
    before = await harness.refresh_count()
    await replica.read(connection_id)
    assert await harness.refresh_count() == before
    await replica.run_background()
    assert await harness.refresh_count() == before + 1


async def test_a_marketing_token_is_returned_unchanged_for_years(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "marketing")
    harness.clock.advance(3 * 365 * 24 * HOUR)
    usable = await replica.read(connection_id)
    assert usable.tokens.expires_at is None
    assert harness.is_accepted(usable.tokens)


async def test_a_manual_refresh_replaces_even_a_fresh_token(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    old = await replica.tokens(connection_id)
    stored = await replica.refresh(connection_id)
    assert stored.token_version == 2
    assert (await replica.tokens(connection_id)).access != old.access
    assert await replica.last_attempt(connection_id) == "refresh ok None"


async def test_a_read_whose_refresh_fails_returns_the_old_token_while_it_is_unexpired(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    old = await replica.tokens(connection_id)
    harness.advance_into_margin(old)
    await harness.simulator.fault(REFRESH_PATH, "status", 503)
    usable = await replica.read(connection_id)
    assert usable.tokens.access == old.access
    assert harness.is_accepted(usable.tokens)
    assert (await replica.connection(connection_id)).status == "refresh_failing"


async def test_a_read_within_the_margin_requires_a_reconnect_if_its_refresh_ends_the_connection(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    await harness.simulator.post("/_sim/revoke", {"person": "robin"})
    with pytest.raises(ReconnectRequired):
        await replica.read(connection_id)
    assert (await replica.connection(connection_id)).status == "reconnect_required"


async def test_a_read_returns_the_tokens_of_a_reconnect_and_not_unsaved_older_tokens(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["apply_outcomes"] = "before"
    await replica.refresh(connection_id)
    await harness.connect(other)
    assert (await replica.read(connection_id)).tokens == await other.tokens(connection_id)


async def test_reads_do_not_call_tiktok_before_the_next_retry_is_due(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "status", 503, times=-1)
    await replica.read(connection_id)
    before = (await harness.simulator.stats())["calls"]
    for _ in range(20):
        await replica.read(connection_id)
    assert (await harness.simulator.stats())["calls"] == before


async def test_a_read_with_an_expired_token_raises_the_error_with_a_retry_after(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "status", 503, times=-1)
    for _ in range(2):
        with pytest.raises(TikTokUnreachable) as caught:
            await replica.read(connection_id)
        assert caught.value.retry_after


async def test_a_read_before_the_next_retry_repeats_the_error_of_the_last_attempt(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "code", "invalid_client", times=-1)
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            await replica.read(connection_id)
        assert caught.value.code == "configuration"


@pytest.mark.parametrize("operation", ["acquire_refresh_lease", "apply_outcomes"])
async def test_an_unexpired_token_is_returned_while_the_store_rejects_writes(
    harness: TokenHarness, replica: Replica, operation: str
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    replica.database.faults[operation] = "before"
    assert harness.is_accepted((await replica.read(connection_id)).tokens)


async def test_a_read_without_a_store_raises_store_unreachable(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    replica.database.faults["*"] = "before"
    with pytest.raises(StoreUnreachable):
        await replica.read(connection_id)


@pytest.mark.parametrize("end_action", ["revoke", "disconnect"])
async def test_an_ended_connection_requires_a_reconnect_and_causes_no_tiktok_call(
    harness: TokenHarness, replica: Replica, end_action: str
) -> None:
    connection_id = await harness.connect(replica)
    if end_action == "revoke":
        await harness.simulator.post("/_sim/revoke", {"person": "robin"})
        with pytest.raises(ReconnectRequired):
            await replica.refresh(connection_id)
    else:
        await replica.disconnect(connection_id)
    before = (await harness.simulator.stats())["calls"]
    for request in (
        replica.read(connection_id),
        replica.service.connections.refresh(connection_id, scope=Scope.everyone(), actor="user"),
    ):
        with pytest.raises(ReconnectRequired):
            await request
    assert (await harness.simulator.stats())["calls"] == before


async def test_an_unknown_connection_is_not_found(replica: Replica) -> None:
    with pytest.raises(NotFound):
        await replica.read(UNKNOWN)


async def test_a_connection_stays_active_while_its_family_is_not_configured(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    unconfigured = await harness.start_replica(
        {"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""}
    )
    harness.advance_into_margin(await replica.tokens(connection_id))
    assert harness.is_accepted((await unconfigured.read(connection_id)).tokens)
    assert (await replica.connection(connection_id)).status == "refresh_failing"
    harness.clock.advance(60)
    await replica.run_background()
    assert (await replica.connection(connection_id)).status == "active"


async def test_no_error_or_attempt_contains_a_token(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    tokens = await replica.tokens(connection_id)
    harness.advance_past_expiry(tokens)
    assert tokens.refresh is not None
    secrets = {tokens.access.get_secret_value(), tokens.refresh.get_secret_value()}
    await harness.simulator.fault(REFRESH_PATH, "code", "invalid_grant")
    with pytest.raises(ConnectorError) as caught:
        await replica.read(connection_id)
    text = f"{caught.value!r} {await replica.store.list_attempts(connection_id)} {harness.rows('attempts')}"
    assert not any(secret in text for secret in secrets)
