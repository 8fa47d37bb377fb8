"""The background refreshes tokens before they expire, probes the others, and resumes gradually after an outage."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import pytest

from connector.concurrency.adaptive_limit import BATCH_SIZE
from connector.errors import ReconnectRequired

from .harness import REFRESH_PATH, Replica, TokenHarness

HOUR = 3600
DAY = 24 * HOUR
PROBE_PATH = "/oauth2/advertiser/get"
SHOP, BAR = {"id": "7100000000000000001", "name": "Shop"}, {"id": "7100000000000000002"}


# Before expiry


async def test_the_background_refreshes_a_token_at_three_quarters_of_its_lifetime_and_not_before(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.clock.advance(2 * HOUR * 0.69)
    await replica.run_background()
    assert await harness.refresh_count() == 0
    harness.clock.advance(2 * HOUR * 0.10)
    await replica.run_background()
    assert await harness.refresh_count() == 1
    assert await replica.last_attempt(connection_id) == "refresh ok None"


async def test_a_connection_that_is_never_read_is_active_after_a_year(
    harness: TokenHarness, replica: Replica
) -> None:
    await harness.simulator.post("/_sim/settings", {"access_seconds": 7 * DAY})
    connection_id = await harness.connect(replica, "accounts")
    for _ in range(180):
        harness.clock.advance(2 * DAY)
        await replica.run_background()
    assert (await replica.connection(connection_id)).status == "active"
    assert harness.is_accepted((await replica.read(connection_id)).tokens)
    stats = await harness.simulator.stats()
    assert 360 / 7 <= stats["refreshes"] <= 360 / 5
    assert stats["dead_refresh_token_presented"] == 0


async def test_two_replicas_together_refresh_each_due_connection_once(
    harness: TokenHarness, replica: Replica
) -> None:
    other = await harness.start_replica()
    connection_ids = await harness.connect_people(replica, 60)
    harness.clock.advance(2 * HOUR * 0.8)
    await asyncio.gather(replica.run_background(), other.run_background())
    stats = await harness.simulator.stats()
    assert (stats["refreshes"], stats["refreshes_refused"]) == (60, 0)
    versions = [
        (await replica.stored(connection_id)).token_version for connection_id in connection_ids
    ]
    assert versions == [2] * 60


async def test_the_background_loop_continues_after_any_error(
    harness: TokenHarness, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    connection_id = await harness.connect(replica)
    harness.clock.advance(2 * HOUR)

    async def raise_bug() -> None:
        raise ZeroDivisionError

    replica.database.faults["lease_due_connections"] = "before"
    with caplog.at_level(logging.WARNING):
        stopped = asyncio.Event()
        running = asyncio.create_task(replica.background.run_until(stopped))
        await harness.clock.until_asleep()
        replica.database.before_call["lease_due_connections"] = raise_bug
        harness.clock.advance(2)
        await harness.clock.until_asleep()
        replica.database.before_call.clear()
        replica.database.faults.clear()
        harness.clock.advance(2)
        await harness.clock.until_asleep()
        await replica.refresher.wait_until_idle()
    stopped.set()
    await running
    assert "background refresh batch failed error=store_unreachable" in caplog.text
    assert "unexpected error in background refresh" in caplog.text
    assert (await replica.stored(connection_id)).token_version == 2


# After an outage


async def test_after_an_outage_of_a_week_every_connection_is_active_and_refreshes_resume_gradually(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await harness.connect_people(replica, 500)
    await harness.simulator.fault(REFRESH_PATH, "status", 503, times=-1)
    harness.clock.advance(2 * HOUR)
    await replica.run_batch()
    harness.clock.advance(7 * DAY)
    await replica.run_background()
    failing = [await replica.connection(connection_id) for connection_id in connection_ids]
    assert {connection.status for connection in failing} == {"refresh_failing"}
    retries = {
        connection.last_failure.retry_at for connection in failing if connection.last_failure
    }
    assert len(retries) == 500

    harness.end_faults()
    await harness.simulator.http.delete(f"{harness.simulator.url}/_sim/stats")
    harness.clock.advance(HOUR)
    rounds: list[int] = []
    while await replica.run_batch():
        rounds.append(await harness.refresh_count() - sum(rounds))
    assert rounds[:6] == [1, 2, 4, 8, 16, BATCH_SIZE]
    stats = await harness.simulator.stats()
    assert stats["most_in_flight"] <= BATCH_SIZE
    assert (stats["refreshes"], stats["refreshes_refused"]) == (500, 0)
    assert all(
        [
            harness.is_accepted((await replica.read(connection_id)).tokens)
            for connection_id in connection_ids
        ]
    )
    assert harness.events().count("recovered") == 500
    assert "reconnect_required" not in harness.events()


@pytest.mark.parametrize("fault", [("status", 503), ("code", "rate_limit_exceeded")], ids=str)
async def test_one_refresh_at_a_time_is_tried_while_tiktok_is_unreachable_or_limits_the_rate(
    harness: TokenHarness, replica: Replica, fault: tuple[str, object]
) -> None:
    await harness.connect_people(replica, 40)
    harness.clock.advance(2 * HOUR)
    await harness.simulator.post("/_sim/settings", {"latency_ms": 5})
    await harness.simulator.fault(REFRESH_PATH, fault[0], fault[1], times=-1)
    await replica.run_background()
    await harness.simulator.http.delete(f"{harness.simulator.url}/_sim/stats")
    harness.clock.advance(HOUR)
    await replica.run_background()
    stats = await harness.simulator.stats()
    assert stats["most_in_flight"] == 1
    assert stats["faults"] == 40


async def test_an_error_of_single_connections_does_not_lower_the_concurrency_limit(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_ids = await harness.connect_people(replica, BATCH_SIZE + 8)
    for number in range(len(connection_ids)):
        await harness.simulator.post("/_sim/revoke", {"person": f"person {number}"})
    harness.clock.advance(2 * HOUR)
    assert await replica.run_batch()
    assert not await replica.run_batch()
    assert {
        (await replica.connection(connection_id)).status for connection_id in connection_ids
    } == {"reconnect_required"}


# Tokens that never expire


async def test_a_marketing_token_is_probed_four_or_five_times_a_day(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "marketing")
    before = await probe_count(harness)
    for _ in range(48):
        harness.clock.advance(HOUR / 2)
        await replica.run_background()
    assert 4 <= await probe_count(harness) - before <= 5
    connection = await replica.connection(connection_id)
    assert connection.verified_at is not None
    assert harness.clock.now() - connection.verified_at <= timedelta(hours=6)
    assert (await replica.stored(connection_id)).token_version == 1


async def test_a_revoked_marketing_token_is_found_within_the_probe_interval(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "marketing")
    harness.clock.advance(HOUR)
    await harness.simulator.post("/_sim/revoke", {"person": "robin"})
    revoked_at = harness.clock.now()
    found_at: datetime | None = None
    while found_at is None:
        harness.clock.advance(60)
        await replica.run_background()
        if (await replica.connection(connection_id)).status == "reconnect_required":
            found_at = harness.clock.now()
    assert found_at - revoked_at <= timedelta(hours=6)
    assert harness.events() == ["connected", "reconnect_required"]
    with pytest.raises(ReconnectRequired):
        await replica.read(connection_id)


async def test_the_operator_sets_the_probe_interval(harness: TokenHarness) -> None:
    replica = await harness.start_replica({"CONNECTOR_PROBE_MINUTES": "10"})
    await harness.connect(replica, "marketing")
    before = await probe_count(harness)
    harness.clock.advance(9.5 * 60)
    await replica.run_background()
    assert await probe_count(harness) == before + 1


async def test_a_probe_reports_each_time_that_the_selected_advertiser_is_lost(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "marketing", advertisers=[SHOP])
    await grant_only(harness, BAR)
    await probe_once(harness, replica)
    connection = await replica.connection(connection_id)
    assert (connection.advertiser_lost, connection.status) == (True, "active")
    assert connection.selected_advertiser is not None
    assert connection.selected_advertiser.id == SHOP["id"]
    assert [account.id for account in connection.accounts] == [BAR["id"]]
    await probe_once(harness, replica)
    assert harness.events() == ["connected", "advertiser_lost"]

    await grant_only(harness, BAR, SHOP)
    await probe_once(harness, replica)
    connection = await replica.connection(connection_id)
    assert not connection.advertiser_lost
    [row] = harness.rows("user_accounts")
    assert row["tiktok_business_id"] == SHOP["id"]
    assert row["tiktok_access_token"] is not None
    await grant_only(harness, BAR)
    await probe_once(harness, replica)
    assert harness.events() == ["connected", "advertiser_lost", "advertiser_lost"]


async def test_a_failed_probe_removes_no_advertiser(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica, "marketing", advertisers=[SHOP])
    await harness.simulator.fault(PROBE_PATH, "status", 503, times=-1)
    for _ in range(3):
        await probe_once(harness, replica)
    connection = await replica.connection(connection_id)
    assert (connection.advertiser_lost, connection.status) == (False, "active")
    assert [account.id for account in connection.accounts] == [SHOP["id"]]


async def probe_count(harness: TokenHarness) -> int:
    return len((await harness.simulator.get(f"/_sim/log?path={PROBE_PATH}"))["calls"])


async def grant_only(harness: TokenHarness, *advertisers: dict[str, str]) -> None:
    await harness.simulator.post(
        "/_sim/advertisers", {"person": "robin", "advertisers": list(advertisers)}
    )


async def probe_once(harness: TokenHarness, replica: Replica) -> None:
    harness.clock.advance(6 * HOUR)
    await replica.run_background()
