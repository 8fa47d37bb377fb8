"""Between replicas a lease says who flies, and whoever comes late changes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from connector.errors import Busy, StoreUnreachable
from connector.keeper import LEASE, LONGEST_CALL
from connector.transport import DEADLINE

from .scene import REFRESH, Gate, Replica, Scene

LEASE_SECONDS = LEASE.total_seconds()

# The lease


def test_the_lease_outlasts_the_longest_call(replica: Replica) -> None:
    assert LEASE > LONGEST_CALL
    assert LONGEST_CALL.total_seconds() == DEADLINE == replica.house.transport._deadline


async def test_a_dead_holders_lease_lapses_by_itself(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    now = scene.clock.now()
    ghost = await replica.store.claim_refresh(
        id, version=1, holder="ghost", now=now, until=now + LEASE
    )
    assert ghost is not None
    with pytest.raises(Busy):
        await scene.through(replica.read(id))
    scene.clock.turn(LEASE_SECONDS)
    assert scene.works((await replica.read(id)).tokens)


async def test_the_background_hands_a_lapsed_lease_to_the_read_that_waits_for_it(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    now = scene.clock.now()
    lapse = now + timedelta(seconds=10)
    await replica.store.claim_refresh(id, version=1, holder="ghost", now=now, until=lapse)
    gate = replica.database.before["claim_refresh"] = Gate()
    reading = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    scene.clock.turn(10)
    await replica.keeper.tend()
    gate.open.set()
    assert scene.works((await scene.through(reading)).tokens)
    assert scene.clock.now() < lapse + timedelta(seconds=2)


async def test_whoever_was_held_up_until_the_lease_may_lapse_does_not_call(
    scene: Scene, replica: Replica
) -> None:
    """Stopped, starved or waiting for the disk between the claim and the call: it is too late."""

    async def stopped() -> None:
        scene.clock.turn((LEASE - LONGEST_CALL).total_seconds() + 1)

    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    replica.database.before["claim_refresh"] = stopped
    with pytest.raises(Busy):
        await replica.read(id)
    assert await scene.refreshes() == 0
    assert (await replica.shown(id)).status == "active"
    del replica.database.before["claim_refresh"]
    scene.clock.turn(LEASE_SECONDS)
    await replica.tend()
    assert await scene.refreshes() == 1


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("claim", ["claim_refresh", "claim_due"])
async def test_a_store_that_takes_no_claim_costs_no_refresh_token(
    scene: Scene, replica: Replica, claim: str, fault: str
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    before = (await scene.simulator.stats())["calls"]
    replica.database.fails[claim] = "before" if fault == "before" else "after"
    with pytest.raises(StoreUnreachable):
        await (replica.read(id) if claim == "claim_refresh" else replica.keeper.tend())
    assert (await scene.simulator.stats())["calls"] == before
    replica.database.fails.clear()
    scene.clock.turn(LEASE_SECONDS)
    assert scene.works((await replica.read(id)).tokens)


# The late holder


async def test_a_late_holders_write_is_refused(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    await scene.simulator.post("/_sim/settings", {"rotation": "none"})
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    late = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    scene.clock.turn(LEASE_SECONDS)
    newer = await other.read(id)
    scene.let_go()
    assert (await late).tokens == newer.tokens
    assert (await replica.tokens(id)) == newer.tokens
    assert (await replica.kept(id)).version == 2
    verdicts = [line.verdict for line in await replica.store.attempts(id)]
    assert verdicts == ["superseded", "ok", "ok"]


async def test_a_late_holder_that_finds_its_token_dead_looks_once_more_before_it_believes_it(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    late = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    scene.clock.turn(LEASE_SECONDS)
    newer = await other.read(id)
    scene.let_go()
    assert (await late).tokens == newer.tokens
    assert (await replica.shown(id)).status == "active"
    assert "reconnect_required" not in scene.events()
    assert await replica.last(id) == "read superseded invalid_grant"


async def test_and_while_the_new_holder_is_still_at_it_says_nothing_but_busy(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    late = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    scene.clock.turn(LEASE_SECONDS)
    gate = other.database.before["save_outcomes"] = Gate()
    newer = asyncio.create_task(other.read(id))
    await gate.reached.wait()
    scene.let_go()
    with pytest.raises(Busy):
        await late
    gate.open.set()
    assert scene.works((await newer).tokens)
    assert (await replica.shown(id)).status == "active"


async def test_a_reconnect_by_the_person_beats_a_refresh_in_flight(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    late = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    assert await scene.connect(other) == id
    by_hand = await other.tokens(id)
    scene.let_go()
    assert (await late).tokens == by_hand
    assert await replica.tokens(id) == by_hand
    assert scene.works(by_hand)
    assert Counter(scene.events()) == {"connected": 1, "reconnected": 1}


async def test_a_token_that_ran_out_while_everything_stood_still_is_not_handed_out(
    scene: Scene, replica: Replica
) -> None:
    """A laptop that was shut in the middle of a refresh and opened the day after."""
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    gate = replica.database.before["save_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    scene.clock.turn(24 * 3600)
    gate.open.set()
    with pytest.raises(Busy):
        await reading
    assert scene.works((await replica.read(id)).tokens)
