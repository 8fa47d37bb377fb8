"""What a dead process held is free as soon as somebody takes its journal over, and not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from connector.errors import Busy, StoreUnreachable
from connector.keeper import LEASE, Working
from connector.store.refusals import refusal
from tests.journal.test_disks import files_up_to
from tests.stack import Stack

from .scene import REFRESH, Gate, Replica, Scene, crowd
from .test_saver import refuse

REVOKE = "/v2/oauth/revoke"


async def killed_at(path: str, scene: Scene, replica: Replica, *work: Any) -> None:
    """While TikTok has heard it all and said nothing."""
    await scene.simulator.fault(path, "hang", times=len(work))
    tasks = [asyncio.ensure_future(each) for each in work]
    await scene.in_the_air(len(work))
    await replica.dies()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError)
    scene.let_go()


async def at_once(scene: Scene, reading: Awaitable[Working]) -> bool:
    """Whether it works, and came without waiting for anybody's lease."""
    began = scene.clock.now()
    working = await scene.through(reading)
    return scene.works(working.tokens) and scene.clock.now() - began < timedelta(seconds=1)


def holder_of(scene: Scene, id: str) -> str | None:
    [holder] = [row["holder"] for row in scene.rows("connections") if row["id"] == id]
    return None if holder is None else str(holder)


async def expired(scene: Scene, replica: Replica, people: int) -> list[str]:
    ids = await crowd(scene, replica, people)
    scene.expire(await replica.tokens(ids[0]))
    return ids


async def test_an_expired_connection_can_be_read_at_once(scene: Scene, replica: Replica) -> None:
    [id] = await expired(scene, replica, 1)
    await killed_at(REFRESH, scene, replica, replica.read(id))
    again = await scene.replica()
    assert await at_once(scene, again.read(id))
    assert await scene.refreshes() == 1


async def test_so_it_can_by_another_who_was_waiting_for_it(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    [id] = await expired(scene, replica, 1)
    await killed_at(REFRESH, scene, replica, replica.read(id))
    waiting = asyncio.create_task(other.read(id))
    await scene.clock.until_asleep()
    await scene.replica()
    assert await at_once(scene, waiting)


async def test_the_background_takes_it_up_at_once(scene: Scene, replica: Replica) -> None:
    ids = await expired(scene, replica, 3)
    await killed_at(REFRESH, scene, replica, *map(replica.read, ids))
    await (await scene.replica()).tend()
    assert await scene.refreshes() == 3


async def test_an_answer_that_died_with_it_is_asked_for_again_while_tiktoks_grace_lasts(
    scene: Scene, replica: Replica
) -> None:
    """That is why nobody waits for the lease: it may well be longer than the grace."""
    grace = LEASE.total_seconds() / 2
    await scene.simulator.post("/_sim/settings", {"rotation": "grace", "grace_seconds": grace})
    [id] = await expired(scene, replica, 1)
    await scene.simulator.fault(REFRESH, "drop_after_effect")
    gate = replica.database.before["save_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    await replica.dies()
    await asyncio.wait([reading])
    scene.clock.turn(grace / 2)
    again = await scene.replica()
    assert await at_once(scene, again.read(id))
    assert (await scene.simulator.stats())["dead_refresh_token_presented"] == 0


async def test_what_a_living_neighbour_or_another_machine_holds_is_theirs(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    far = await scene.replica({"CONNECTOR_JOURNAL": str(scene.path / "far.journal")})
    ids = await expired(scene, replica, 3)
    await scene.simulator.fault(REFRESH, "hang", times=3)
    living = [asyncio.create_task(who.read(id)) for who, id in zip((other, far), ids, strict=False)]
    dying = asyncio.create_task(replica.read(ids[2]))
    await scene.in_the_air(3)
    await replica.dies()
    await asyncio.wait([dying])
    await scene.replica()
    held = [other.house.journal.holder, far.house.journal.holder, None]
    assert [holder_of(scene, id) for id in ids] == held
    scene.let_go()
    assert all([scene.works((await one).tokens) for one in living])


async def test_nothing_is_freed_before_the_answers_of_the_dead_are_saved(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    """Else another would spend once more what is spent, while the newer one is in our journal."""
    answered, unanswered = await expired(scene, replica, 2)
    await scene.simulator.fault(REFRESH, "hang")
    dying = asyncio.create_task(replica.read(unanswered))
    await scene.in_the_air()
    replica.database.fails["save_outcomes"] = "before"
    await replica.read(answered)
    await replica.dies()
    await asyncio.wait([dying])
    again = await scene.replica(fails={"save_outcomes": "before"})
    for id in (answered, unanswered):
        with pytest.raises(Busy):
            await scene.through(other.read(id))
    assert again.database.calls["release"] == 0

    again.database.fails.clear()
    scene.expire((await again.read(answered)).tokens)
    for id in (answered, unanswered):
        assert await at_once(scene, again.read(id))
    stats = await scene.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (3, 0)


async def test_nor_while_the_store_refuses_one_of_them(scene: Scene, replica: Replica) -> None:
    answered, unanswered = await expired(scene, replica, 2)
    refuse(scene, answered)
    await replica.read(answered)
    holder = replica.house.journal.holder
    await killed_at(REFRESH, scene, replica, replica.read(unanswered))
    again = await scene.replica()
    await again.tend()
    assert [holder_of(scene, id) for id in (answered, unanswered)] == [holder, holder]
    assert again.database.calls["release"] == 0


async def test_a_store_that_is_away_at_the_start_frees_it_before_anything_new_is_claimed(
    scene: Scene, replica: Replica
) -> None:
    [id] = await expired(scene, replica, 1)
    await killed_at(REFRESH, scene, replica, replica.read(id))
    again = await scene.replica(fails={"release": "before"})
    for ask in (again.read(id), again.keeper.tend()):
        with pytest.raises(StoreUnreachable):
            await scene.through(ask)
    assert not again.database.calls["claim_refresh"] + again.database.calls["claim_due"]
    again.database.fails.clear()
    assert await at_once(scene, again.read(id))
    again.database.calls.clear()
    await again.tend()
    assert again.database.calls["release"] == 0


async def test_of_any_number_of_dead_all_is_freed_in_one_call(
    scene: Scene, replica: Replica, other: Replica
) -> None:
    ids = await expired(scene, replica, 2)
    await killed_at(REFRESH, scene, replica, replica.read(ids[0]))
    await killed_at(REFRESH, scene, other, other.read(ids[1]))
    again = await scene.replica()
    assert again.database.calls["release"] == 1
    assert [holder_of(scene, id) for id in ids] == [None, None]


async def test_killed_again_before_it_could_free_them_the_next_life_does(
    scene: Scene, replica: Replica
) -> None:
    [id] = await expired(scene, replica, 1)
    await killed_at(REFRESH, scene, replica, replica.read(id))
    for _ in range(2):
        await (await scene.replica(fails={"release": "before"})).dies()
    again = await scene.replica()
    assert await at_once(scene, again.read(id))


async def test_a_full_disk_at_the_start_is_no_hindrance(scene: Scene, stack: Stack) -> None:
    stack.truncate()
    replica = await scene.replica(stack.environment())
    [id] = await expired(scene, replica, 1)
    await killed_at(REFRESH, scene, replica, replica.read(id))
    with files_up_to(0):
        again = await scene.replica(stack.environment())
    assert await at_once(scene, again.read(id))


async def test_a_store_that_will_not_free_them_is_asked_once_and_in_nobodys_way(
    scene: Scene, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    """A new version on a database that has only the old one's functions."""
    held, free = await expired(scene, replica, 2)
    await killed_at(REFRESH, scene, replica, replica.read(held))
    again = await scene.replica(fails={"release": "before"})

    async def lacks_it() -> None:
        raise refusal("PGRST202")

    again.database.before["release"] = lacks_it
    again.database.calls.clear()
    assert scene.works((await again.read(free)).tokens)
    with caplog.at_level(logging.INFO), pytest.raises(Busy):
        await scene.through(again.read(held))
    assert again.database.calls["release"] == 1
    scene.clock.turn(LEASE.total_seconds())
    assert scene.works((await again.read(held)).tokens)


async def test_a_revocation_that_was_cut_is_made_at_once(scene: Scene, replica: Replica) -> None:
    [id] = await crowd(scene, replica, 1)
    connections = replica.house.connections
    await killed_at(REVOKE, scene, replica, connections.disconnect(id, of=None, who="user"))
    again = await scene.replica()
    assert scene.world.ledger.grants("person 0")[0].alive
    await again.tend()
    assert not scene.world.ledger.grants("person 0")[0].alive
    assert (await again.kept(id)).sealed is None


async def test_so_is_one_that_waited_for_a_refresh_that_was_cut(
    scene: Scene, replica: Replica
) -> None:
    [id] = await expired(scene, replica, 1)
    await scene.simulator.fault(REFRESH, "hang")
    reading = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    await replica.store.begin_revoke(id, now=scene.clock.now())
    assert (await replica.shown(id)).due_at == scene.clock.now() + LEASE
    await replica.dies()
    await asyncio.wait([reading])
    again = await scene.replica()
    await again.tend()
    assert (await again.shown(id)).status == "revoked"
    assert (await again.kept(id)).sealed is None
    assert not scene.world.ledger.grants("person 0")[0].alive
