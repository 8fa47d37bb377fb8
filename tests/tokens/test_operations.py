"""Only a definite error ends a connection, immediately and once; no other error ends a connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from connector.connections import Scope
from connector.errors import ConnectorError, ReconnectRequired
from connector.maintenance import CleanupJob
from connector.model import Attempt
from connector.schedule import MAX_RETRY_DELAY

from .failing_calls import PATHS, assert_is_failing, connect
from .harness import Replica, TokenHarness


@dataclass(frozen=True)
class ErrorCase:
    family: str
    kind: str
    value: Any = None

    def __str__(self) -> str:
        return f"{self.family} {self.kind} {self.value}"


DEFINITE_ERRORS = [
    ErrorCase("login_kit", "code", "invalid_grant"),
    *(ErrorCase("accounts", "code", code) for code in (40102, 40103, 40105, 40107)),
    *(ErrorCase("marketing", "code", code) for code in (40102, 40103, 40105, 40107)),
]
RATE_LIMITS = (40016, 40100, 40132, 40133, 61000)
TIKTOK_FAULTS = (40200, 40201, 40202, 40700, 50000, 50002, 51008, 51305, 52000, 53102, 60001)
OPERATOR_ERRORS = (40010, 40101, 40104, 40113, 40124, 41000, 70001)
PERMISSION_ERRORS = (40001, 40003, 40118, 40125, 40130, 40131, 40300, 40302)
OWNER_ACTION_NEEDED = (40114, 40120, 40309)
OTHER_CODES = (40000, 40106, 40002, 40050, 40108, 40110, 40115, 40400, 49999, 20002, -1)
OPEN_API_CODES = (
    *("invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"),
    *("unsupported_grant_type", "access_denied", "rate_limit_exceeded", "internal_error"),
    *("server_error", "temporarily_unavailable", "scope_not_authorized", "a_code_of_the_future"),
)
STATUSES = (400, 403, 404, 405, 408, 413, 429, 500, 502, 503, 504, 599)
GARBAGE = ("html", "truncated", "wrong_type", "huge")
BUSINESS_CODES = (
    *RATE_LIMITS,
    *TIKTOK_FAULTS,
    *OPERATOR_ERRORS,
    *PERMISSION_ERRORS,
    *OWNER_ACTION_NEEDED,
    *OTHER_CODES,
)
TRANSIENT = {
    "open api code": ("login_kit", "code", OPEN_API_CODES),
    "business code": ("accounts", "code", BUSINESS_CODES),
    "business code to a probe": ("marketing", "code", BUSINESS_CODES),
    "status of open api": ("login_kit", "status", STATUSES),
    "status of business api": ("accounts", "status", STATUSES),
    "status to a probe": ("marketing", "status", STATUSES),
    "garbage from open api": ("login_kit", "garbage", GARBAGE),
    "garbage from business api": ("accounts", "garbage", GARBAGE),
    "garbage to a probe": ("marketing", "garbage", GARBAGE),
    "no response": ("login_kit", "hang", (None,)),
    "lost response": ("accounts", "drop_after_effect", (None,)),
}


@pytest.mark.parametrize("case", DEFINITE_ERRORS, ids=str)
async def test_a_definite_error_ends_the_connection_immediately_and_is_reported_once(
    harness: TokenHarness, replica: Replica, case: ErrorCase
) -> None:
    connection_id = await connect(harness, replica, case.family)
    await harness.simulator.fault(PATHS[case.family], case.kind, case.value)
    with pytest.raises(ReconnectRequired):
        await replica.refresh(connection_id)
    connection = await replica.connection(connection_id)
    assert (connection.status, connection.due_at) == ("reconnect_required", None)
    assert connection.last_failure is not None
    assert (connection.last_failure.code, connection.last_failure.retry_at) == (
        "reconnect_required",
        None,
    )
    assert await replica.last_attempt(connection_id) == (
        f"{'probe' if case.family == 'marketing' else 'refresh'} reconnect_required {case.value}"
    )
    calls = (await harness.simulator.stats())["calls"]
    harness.clock.advance(30 * 24 * 3600)
    await replica.run_background()
    with pytest.raises(ReconnectRequired):
        await replica.read(connection_id)
    assert (await harness.simulator.stats())["calls"] == calls
    assert harness.events() == ["connected", "reconnect_required"]


async def test_a_reconnect_makes_an_ended_connection_active_again(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await connect(harness, replica, "login_kit")
    await harness.simulator.fault(PATHS["login_kit"], "code", "invalid_grant")
    with pytest.raises(ReconnectRequired):
        await replica.refresh(connection_id)
    assert await harness.connect(replica) == connection_id
    connection = await replica.connection(connection_id)
    assert (connection.status, connection.last_failure) == ("active", None)
    assert harness.is_accepted((await replica.read(connection_id)).tokens)


@pytest.mark.parametrize(("family", "kind", "values"), TRANSIENT.values(), ids=TRANSIENT)
async def test_no_transient_error_ends_a_connection_and_the_old_token_is_served_meanwhile(
    harness: TokenHarness, replica: Replica, family: str, kind: str, values: tuple[Any, ...]
) -> None:
    connection_id = await connect(harness, replica, family)
    for value in values:
        old = await replica.tokens(connection_id)
        if old.expires_at is not None:
            harness.advance_into_margin(old)
        await harness.simulator.fault(PATHS[family], kind, value)
        with pytest.raises(ConnectorError) as caught:
            await replica.refresh(connection_id)
        assert not isinstance(caught.value, ReconnectRequired), value
        await assert_is_failing(harness, replica, connection_id, caught.value.code)
        usable = await replica.read(connection_id)
        assert (value, usable.tokens.access) == (value, old.access)
        assert harness.is_accepted(usable.tokens)

        harness.end_faults()
        harness.clock.advance(2 * 3600)
        await replica.run_background()
        connection = await replica.connection(connection_id)
        assert (value, connection.status, connection.last_failure) == (value, "active", None)
        assert harness.is_accepted((await replica.read(connection_id)).tokens)
    assert "reconnect_required" not in harness.events()


async def test_an_unreachable_tiktok_ends_no_connection(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    unreachable = await harness.start_replica({"TIKTOK_OPEN_API_URL": "http://127.0.0.1:9"})
    assert harness.is_accepted((await unreachable.read(connection_id)).tokens)
    connection = await replica.connection(connection_id)
    assert connection.last_failure is not None
    assert (connection.status, connection.last_failure.code) == (
        "refresh_failing",
        "tiktok_unreachable",
    )
    assert "no connection could be made" in connection.last_failure.message


async def test_failures_are_counted_and_the_retry_delay_grows_to_its_maximum(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "accounts")
    started = harness.clock.now()
    await harness.simulator.fault(PATHS["accounts"], "status", 500, times=-1)
    delays = []
    for count in range(1, 15):
        with pytest.raises(ConnectorError):
            await replica.refresh(connection_id)
        failure = (await replica.connection(connection_id)).last_failure
        assert failure is not None
        assert failure.retry_at is not None
        assert (failure.count, failure.since) == (count, started)
        delays.append(failure.retry_at - harness.clock.now())
    assert delays[0] < delays[4] < delays[7]
    assert all(MAX_RETRY_DELAY / 2 <= delay <= MAX_RETRY_DELAY for delay in delays[8:])


async def test_each_recovery_is_reported_by_one_event(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    for _ in range(2):
        await harness.simulator.fault(PATHS["login_kit"], "status", 500, times=2)
        for _ in range(2):
            with pytest.raises(ConnectorError):
                await replica.refresh(connection_id)
        await replica.refresh(connection_id)
        await replica.refresh(connection_id)
    assert harness.events() == ["connected", *["failing", "recovered"] * 2]


@pytest.mark.parametrize("family", ["login_kit", "accounts"])
async def test_a_token_refreshed_without_a_lifetime_is_refreshed_again_before_it_expires(
    harness: TokenHarness, replica: Replica, family: str
) -> None:
    await harness.simulator.post("/_sim/settings", {"access_seconds": 7200})
    connection_id = await harness.connect(replica, family)
    await harness.simulator.post("/_sim/settings", {"omit_expires_in": True})
    for refreshes in (1, 2, 3):
        harness.clock.advance(0.78 * 7200)
        await replica.run_background()
        assert await harness.refresh_count() == refreshes
        connection = await replica.connection(connection_id)
        assert connection.expires_at == harness.clock.now() + timedelta(hours=2)


async def test_every_operation_is_recorded_as_one_attempt(
    harness: TokenHarness, replica: Replica
) -> None:
    login_kit, marketing = (
        await harness.connect(replica),
        await harness.connect(replica, "marketing"),
    )
    await replica.refresh(login_kit)
    harness.advance_into_margin(await replica.tokens(login_kit))
    await replica.read(login_kit)
    await harness.simulator.fault(PATHS["login_kit"], "code", "server_error")
    with pytest.raises(ConnectorError):
        await replica.refresh(login_kit)
    harness.clock.advance(6 * 3600)
    await replica.run_background()
    for connection_id in (login_kit, marketing):
        await replica.service.connections.disconnect(
            connection_id, scope=Scope.everyone(), actor="billing"
        )

    def summary(attempts: list[Attempt]) -> list[tuple[str, str, str, str | None]]:
        return [(a.operation, a.actor, a.result, a.tiktok_code) for a in attempts]

    attempts = await replica.store.list_attempts(login_kit)
    assert summary(attempts) == [
        ("revoke", "billing", "ok", None),
        ("refresh", "background", "ok", None),
        ("refresh", "user", "tiktok_unreachable", "server_error"),
        ("read", "server", "ok", None),
        ("refresh", "user", "ok", None),
        ("exchange", "user", "ok", None),
    ]
    assert attempts[2].request_id
    assert summary(await replica.store.list_attempts(marketing)) == [
        ("revoke", "billing", "ok", None),
        ("probe", "background", "ok", None),
        ("exchange", "user", "ok", None),
    ]


async def test_the_cleanup_does_not_delete_the_last_fifty_attempts_of_a_connection(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    for _ in range(60):
        await replica.refresh(connection_id)
    assert len(await replica.store.list_attempts(connection_id)) == 50
    cleanup = CleanupJob(store=replica.store, clock=harness.clock)
    await cleanup.run_once()
    assert len(harness.rows("attempts")) == 61
    harness.clock.advance(25 * 3600)
    await cleanup.run_once()
    assert len(harness.rows("attempts")) == 50
