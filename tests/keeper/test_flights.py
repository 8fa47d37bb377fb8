"""One refresh at a time per connection, shared by all who ask, and never cut."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from connector.errors import Busy, ReconnectRequired, TikTokUnreachable
from connector.keeper import LEASE

from .scene import REFRESH, Gate, Replica, Scene

LEASE_SECONDS = LEASE.total_seconds()


# Shared


async def test_a_hundred_reads_at_once_cost_one_call(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    answers = await asyncio.gather(*(replica.read(id) for _ in range(100)))
    assert len({working.tokens.access for working in answers}) == 1
    assert scene.works(answers[0].tokens)
    assert await scene.refreshes() == 1


async def test_reads_in_three_replicas_cost_one_call(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    replicas = [replica, other, await scene.replica()]
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    reads = (replicas[n % 3].read(id) for n in range(90))
    answers = await scene.through(asyncio.gather(*reads))
    assert len({working.tokens.access for working in answers}) == 1
    assert await scene.refreshes() == 1


async def test_a_read_and_the_background_share_a_flight(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    await replica.keeper.tend()
    reading = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    scene.let_go()
    assert scene.works((await reading).tokens)
    assert await scene.refreshes() == 1


@pytest.mark.parametrize(
    ("code", "told"), [("invalid_grant", ReconnectRequired), ("server_error", TikTokUnreachable)]
)
async def test_a_read_that_joined_a_flight_in_the_background_is_told_how_it_failed(
    scene: Scene, replica: Replica, code: str, told: type[Exception]
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "code", code)
    gate = replica.database.before["save_outcomes"] = Gate()
    await replica.keeper.tend()
    await gate.reached.wait()
    reading = asyncio.create_task(replica.read(id))
    await asyncio.sleep(0)
    gate.open.set()
    with pytest.raises(told):
        await reading


# Waiting for another replica


async def test_who_waits_gets_what_the_other_brought(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    first = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    second = asyncio.create_task(other.read(id))
    await scene.clock.until_asleep()
    scene.let_go()
    flown = await first
    waited = await scene.through(second)
    assert waited.tokens == flown.tokens
    assert await scene.refreshes() == 1


async def test_who_waits_is_told_how_the_other_failed_and_does_not_try_again(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    gate = replica.database.before["save_outcomes"] = Gate()
    await scene.simulator.fault(REFRESH, "status", 500)
    first = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    second = asyncio.create_task(other.read(id))
    await scene.clock.until_asleep()
    gate.open.set()
    for reading in (first, scene.through(second)):
        with pytest.raises(TikTokUnreachable):
            await reading
    assert await scene.refreshes() == 0


async def test_who_waits_learns_that_it_has_ended(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.post("/_sim/revoke", {"person": "robin"})
    gate = replica.database.before["save_outcomes"] = Gate()
    first = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    second = asyncio.create_task(other.read(id))
    await scene.clock.until_asleep()
    gate.open.set()
    for reading in (first, scene.through(second)):
        with pytest.raises(ReconnectRequired):
            await reading
    assert scene.events().count("reconnect_required") == 1


async def test_what_ended_between_a_look_and_a_claim_is_not_claimed(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.post("/_sim/revoke", {"person": "robin"})
    saving = replica.database.before["save_outcomes"] = Gate()
    second_claim = Gate()

    async def claiming() -> None:
        if other.database.calls["claim_refresh"] == 2:
            await second_claim()

    other.database.before["claim_refresh"] = claiming
    first = asyncio.create_task(replica.read(id))
    await saving.reached.wait()
    second = asyncio.create_task(other.read(id))
    await second_claim.reached.wait()
    saving.open.set()
    with pytest.raises(ReconnectRequired):
        await first
    second_claim.open.set()
    with pytest.raises(ReconnectRequired):
        await scene.through(second)
    assert scene.events() == ["connected", "reconnect_required"]


async def test_who_waited_long_enough_is_told_to_come_back(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    first = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    began = scene.clock.now()
    with pytest.raises(Busy) as caught:
        await scene.through(other.read(id))
    assert caught.value.retry_after
    assert timedelta(seconds=25) <= scene.clock.now() - began < LEASE
    scene.let_go()
    await first


async def test_or_gets_the_old_token_if_it_still_lives(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    first = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    assert scene.works((await scene.through(other.read(id))).tokens)
    scene.let_go()
    await first


async def test_tokens_that_are_newer_than_the_askers_are_the_answer_without_a_call(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    stale = await other.kept(id)
    await replica.force(id)
    assert (await other.keeper.refresh(stale, who="user")).version == 2
    assert await scene.refreshes() == 1


# Never cut


async def test_a_flight_goes_on_when_whoever_asked_has_gone(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    asking = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    scene.let_go()
    await replica.keeper.settled()
    assert scene.works(await replica.tokens(id))


async def test_shutting_down_waits_for_flights_and_for_their_tokens_to_be_saved(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    await replica.keeper.tend()
    await scene.in_the_air()
    replica.is_dead = True
    closing = asyncio.create_task(replica.house.__aexit__(None, None, None))
    done, _ = await asyncio.wait({closing}, timeout=0.05)
    assert not done
    scene.let_go()
    await closing
    assert scene.works(await other.tokens(id))


# Disconnecting


async def test_disconnecting_while_a_refresh_flies_ends_the_newest_tokens_too(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    await scene.simulator.fault(REFRESH, "hang")
    refreshing = asyncio.create_task(replica.force(id))
    await scene.in_the_air()
    leaving = asyncio.create_task(
        replica.house.connections.disconnect(id, of=None, who="user"),
    )
    await asyncio.sleep(0)
    scene.let_go()
    await refreshing
    await leaving
    await replica.tend()
    shown = await replica.shown(id)
    assert (shown.status, shown.due_at) == ("revoked", None)
    assert (await replica.kept(id)).sealed is None
    assert not any(grant.alive for grant in scene.world.ledger.grants("robin"))


async def test_a_revocation_that_tiktok_did_not_hear_is_tried_until_it_has(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    await scene.simulator.fault("/v2/oauth/revoke", "status", 503, times=3)
    shown = await replica.house.connections.disconnect(id, of=None, who="user")
    assert shown.status == "revoked"
    for _ in range(3):
        assert (await replica.kept(id)).sealed is not None
        scene.clock.turn(120)
        await replica.tend()
    assert (await replica.kept(id)).sealed is None
    assert not any(grant.alive for grant in scene.world.ledger.grants("robin"))


async def test_after_a_week_of_that_the_token_is_forgotten_all_the_same(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    await scene.simulator.fault("/v2/oauth/revoke", "status", 503, times=-1)
    await replica.house.connections.disconnect(id, of=None, who="user")
    scene.clock.turn(7 * 24 * 3600 + 1)
    await replica.tend()
    assert (await replica.kept(id)).sealed is None
    assert (await replica.shown(id)).due_at is None
