"""What is done unasked: ahead of expiry, on a budget, and gently after an outage."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import pytest

from connector.errors import ReconnectRequired
from connector.flights import AT_A_TIME

from .scene import REFRESH, Replica, Scene, crowd

HOUR = 3600
DAY = 24 * HOUR
PROBE = "/oauth2/advertiser/get"
SHOP, BAR = {"id": "7100000000000000001", "name": "Shop"}, {"id": "7100000000000000002"}


# Ahead of expiry


async def test_a_token_is_refreshed_at_about_three_quarters_of_its_life_and_not_before(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.clock.turn(2 * HOUR * 0.69)
    await replica.tend()
    assert await scene.refreshes() == 0
    scene.clock.turn(2 * HOUR * 0.10)
    await replica.tend()
    assert await scene.refreshes() == 1
    assert await replica.last(id) == "refresh ok None"


async def test_a_connection_that_nobody_reads_is_well_after_a_year(
    scene: Scene, replica: Replica
) -> None:
    await scene.simulator.post("/_sim/settings", {"access_seconds": 7 * DAY})
    id = await scene.connect(replica, "accounts")
    for _ in range(180):
        scene.clock.turn(2 * DAY)
        await replica.tend()
    assert (await replica.shown(id)).status == "active"
    assert scene.works((await replica.read(id)).tokens)
    stats = await scene.simulator.stats()
    assert 360 / 7 <= stats["refreshes"] <= 360 / 5
    assert stats["dead_refresh_token_presented"] == 0


async def test_of_two_keepers_that_tend_at_once_each_takes_what_the_other_has_not(
    scene: Scene, replica: Replica
) -> None:
    other = await scene.replica()
    ids = await crowd(scene, replica, 60)
    scene.clock.turn(2 * HOUR * 0.8)
    await asyncio.gather(replica.tend(), other.tend())
    stats = await scene.simulator.stats()
    assert (stats["refreshes"], stats["refreshes_refused"]) == (60, 0)
    versions = [(await replica.kept(id)).version for id in ids]
    assert versions == [2] * 60


async def test_the_loop_goes_on_whatever_goes_wrong(
    scene: Scene, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    id = await scene.connect(replica)
    scene.clock.turn(2 * HOUR)

    async def breaks() -> None:
        raise ZeroDivisionError

    replica.database.fails["claim_due"] = "before"
    with caplog.at_level(logging.WARNING):
        running = asyncio.create_task(replica.keeper.run())
        await scene.clock.until_asleep()
        replica.database.before["claim_due"] = breaks
        scene.clock.turn(2)
        await scene.clock.until_asleep()
        replica.database.before.clear()
        replica.database.fails.clear()
        scene.clock.turn(2)
        await scene.clock.until_asleep()
        await replica.keeper.settled()
    running.cancel()
    assert "could not tend because=store_unreachable" in caplog.text
    assert "tending broke" in caplog.text
    assert (await replica.kept(id)).version == 2


# After an outage


async def test_a_week_of_outage_passes_without_a_loss_and_ends_without_a_stampede(
    scene: Scene, replica: Replica
) -> None:
    ids = await crowd(scene, replica, 500)
    await scene.simulator.fault(REFRESH, "status", 503, times=-1)
    scene.clock.turn(2 * HOUR)
    await replica.keeper.tend()
    await replica.keeper.settled()
    scene.clock.turn(7 * DAY)
    await replica.tend()
    failing = [await replica.shown(id) for id in ids]
    assert {shown.status for shown in failing} == {"refresh_failing"}
    again = sorted(shown.failure.again_at for shown in failing if shown.failure)  # type: ignore[type-var]
    assert len(set(again)) == 500

    scene.let_go()
    await scene.simulator.http.delete(f"{scene.simulator.url}/_sim/stats")
    scene.clock.turn(HOUR)
    rounds: list[int] = []
    while await replica.keeper.tend():
        await replica.keeper.settled()
        rounds.append(await scene.refreshes() - sum(rounds))
    await replica.keeper.settled()
    assert rounds[:6] == [1, 2, 4, 8, 16, AT_A_TIME]
    stats = await scene.simulator.stats()
    assert stats["most_in_flight"] <= AT_A_TIME
    assert (stats["refreshes"], stats["refreshes_refused"]) == (500, 0)
    assert all([scene.works((await replica.read(id)).tokens) for id in ids])
    assert scene.events().count("recovered") == 500
    assert "reconnect_required" not in scene.events()


@pytest.mark.parametrize("word", [("status", 503), ("code", "rate_limit_exceeded")], ids=str)
async def test_while_nothing_comes_back_one_at_a_time_is_tried(
    scene: Scene, replica: Replica, word: tuple[str, object]
) -> None:
    await crowd(scene, replica, 40)
    scene.clock.turn(2 * HOUR)
    await scene.simulator.post("/_sim/settings", {"latency_ms": 5})
    await scene.simulator.fault(REFRESH, word[0], word[1], times=-1)
    await replica.tend()
    await scene.simulator.http.delete(f"{scene.simulator.url}/_sim/stats")
    scene.clock.turn(HOUR)
    await replica.tend()
    stats = await scene.simulator.stats()
    assert stats["most_in_flight"] == 1
    assert stats["faults"] == 40


async def test_a_refusal_that_concerns_one_connection_slows_nobody_down(
    scene: Scene, replica: Replica
) -> None:
    ids = await crowd(scene, replica, AT_A_TIME + 8)
    for number in range(len(ids)):
        await scene.simulator.post("/_sim/revoke", {"person": f"person {number}"})
    scene.clock.turn(2 * HOUR)
    assert await replica.keeper.tend()
    await replica.keeper.settled()
    assert not await replica.keeper.tend()
    await replica.keeper.settled()
    assert {(await replica.shown(id)).status for id in ids} == {"reconnect_required"}


# Tokens that never expire


async def test_a_marketing_token_is_probed_on_a_budget(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica, "marketing")
    before = len(await probes(scene))
    for _ in range(48):
        scene.clock.turn(HOUR / 2)
        await replica.tend()
    assert 4 <= len(await probes(scene)) - before <= 5
    shown = await replica.shown(id)
    assert shown.verified_at is not None
    assert scene.clock.now() - shown.verified_at <= timedelta(hours=6)
    assert (await replica.kept(id)).version == 1


async def test_a_revoked_one_is_found_within_the_interval(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica, "marketing")
    scene.clock.turn(HOUR)
    await scene.simulator.post("/_sim/revoke", {"person": "robin"})
    revoked_at = scene.clock.now()
    found_at: datetime | None = None
    while found_at is None:
        scene.clock.turn(60)
        await replica.tend()
        if (await replica.shown(id)).status == "reconnect_required":
            found_at = scene.clock.now()
    assert found_at - revoked_at <= timedelta(hours=6)
    assert scene.events() == ["connected", "reconnect_required"]
    with pytest.raises(ReconnectRequired):
        await replica.read(id)


async def test_the_interval_is_the_operators(scene: Scene) -> None:
    replica = await scene.replica({"CONNECTOR_PROBE_MINUTES": "10"})
    await scene.connect(replica, "marketing")
    before = len(await probes(scene))
    scene.clock.turn(9.5 * 60)
    await replica.tend()
    assert len(await probes(scene)) == before + 1


async def test_an_advertiser_that_is_no_longer_granted_is_noticed_and_one_that_is_again_too(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica, "marketing", advertisers=[SHOP])
    await grant_only(scene, BAR)
    await probed(scene, replica)
    shown = await replica.shown(id)
    assert (shown.advertiser_lost, shown.status) == (True, "active")
    assert shown.chosen is not None
    assert shown.chosen.id == SHOP["id"]
    assert [account.id for account in shown.accounts] == [BAR["id"]]
    await probed(scene, replica)
    assert scene.events() == ["connected", "advertiser_lost"]

    await grant_only(scene, BAR, SHOP)
    await probed(scene, replica)
    shown = await replica.shown(id)
    assert not shown.advertiser_lost
    await grant_only(scene, BAR)
    await probed(scene, replica)
    assert scene.events() == ["connected", "advertiser_lost", "advertiser_lost"]


async def test_a_probe_that_cannot_be_made_takes_no_advertiser_away(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica, "marketing", advertisers=[SHOP])
    await scene.simulator.fault(PROBE, "status", 503, times=-1)
    for _ in range(3):
        await probed(scene, replica)
    shown = await replica.shown(id)
    assert (shown.advertiser_lost, shown.status) == (False, "active")
    assert [account.id for account in shown.accounts] == [SHOP["id"]]


async def probes(scene: Scene) -> list[object]:
    return list((await scene.simulator.get(f"/_sim/log?path={PROBE}"))["calls"])


async def grant_only(scene: Scene, *advertisers: dict[str, str]) -> None:
    asked = {"person": "robin", "advertisers": list(advertisers)}
    await scene.simulator.post("/_sim/advertisers", asked)


async def probed(scene: Scene, replica: Replica) -> None:
    scene.clock.turn(6 * HOUR)
    await replica.tend()
