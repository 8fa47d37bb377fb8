"""Many in one call, and one that the store will not have is in nobody's way but its own."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from connector.errors import Broken, ReconnectRequired, StoreUnreachable

from .scene import Gate, Replica, Scene, crowd


def refuse(scene: Scene, id: str) -> None:
    """A rule of the database's own, which nothing we do can satisfy."""
    with closing(sqlite3.connect(scene.path / "connector.db")) as connection:
        connection.execute(
            f"create trigger refuse before update of version on connections when new.id = '{id}'"
            " begin select raise(abort, 'no'); end"
        )


def relent(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path / "connector.db")) as connection:
        connection.execute("drop trigger refuse")


async def test_what_lands_while_one_save_is_under_way_goes_with_the_next(
    scene: Scene, replica: Replica
) -> None:
    ids = await crowd(scene, replica, 30)
    gate = replica.database.before["save_outcomes"] = Gate()
    flights = asyncio.gather(*map(replica.force, ids))
    await gate.reached.wait()
    async with asyncio.timeout(5):
        while replica.house.journal.held < 30:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
    gate.open.set()
    await flights
    assert replica.database.calls["save_outcomes"] <= 3


async def test_one_the_store_will_not_have_does_not_take_the_others_with_it(
    scene: Scene, replica: Replica
) -> None:
    ids = await crowd(scene, replica, 10)
    refuse(scene, ids[4])
    await asyncio.gather(*map(replica.force, ids))
    versions = [(await replica.kept(id)).version for id in ids]
    assert versions == [2, 2, 2, 2, 1, 2, 2, 2, 2, 2]


async def test_nor_does_it_stop_the_rest_from_being_kept_alive(
    scene: Scene, replica: Replica
) -> None:
    ids = await crowd(scene, replica, 3)
    refuse(scene, ids[0])
    await replica.force(ids[0])
    await replica.force(ids[1])
    scene.clock.turn(2 * 3600)
    await replica.tend()
    assert [(await replica.kept(id)).version for id in ids] == [1, 3, 2]


async def test_the_store_is_not_asked_again_and_again(scene: Scene, replica: Replica) -> None:
    [id] = await crowd(scene, replica, 1)
    refuse(scene, id)
    await replica.force(id)
    replica.database.calls.clear()
    for _ in range(60):
        await replica.tend()
        scene.clock.turn(2)
    assert replica.database.calls["save_outcomes"] <= 3


async def test_its_spent_token_is_never_presented_and_its_newest_is_served(
    scene: Scene, replica: Replica
) -> None:
    [id] = await crowd(scene, replica, 1)
    refuse(scene, id)
    await replica.force(id)
    working = await replica.read(id)
    assert scene.works(working.tokens)
    scene.clock.turn(2 * 3600)
    await replica.tend()
    with pytest.raises(Broken):
        await replica.force(id)
    stats = await scene.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)
    relent(scene)
    scene.clock.turn(60)
    await replica.tend()
    assert (await replica.kept(id)).version == 3
    assert scene.works(await replica.tokens(id))
    assert (await scene.simulator.stats())["dead_refresh_token_presented"] == 0


async def test_an_outcome_without_tokens_is_not_kept_for_a_store_that_is_away(
    scene: Scene, replica: Replica
) -> None:
    [id] = await crowd(scene, replica, 1)
    await scene.simulator.post("/_sim/revoke", {"person": "person 0"})
    replica.database.fails["save_outcomes"] = "before"
    with pytest.raises(ReconnectRequired):
        await replica.force(id)
    assert replica.keeper._saver.behind == 0
    assert (await replica.kept(id)).status == "active"


async def test_what_is_held_here_is_saved_at_the_latest_when_we_close(
    scene: Scene, replica: Replica
) -> None:
    [id] = await crowd(scene, replica, 1)
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    with pytest.raises(StoreUnreachable):
        await replica.keeper.tend()
    assert replica.keeper._saver.behind == 1
    replica.database.fails.clear()
    await replica.keeper.close()
    assert replica.keeper._saver.behind == 0
    assert (await replica.kept(id)).version == 2


async def test_a_disconnected_connection_stays_so_whatever_is_held_for_it(
    scene: Scene, replica: Replica
) -> None:
    [id] = await crowd(scene, replica, 1)
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    await replica.store.begin_revoke(id, now=scene.clock.now())
    with pytest.raises(ReconnectRequired):
        await replica.read(id)
    replica.database.fails.clear()
    await replica.tend()
    assert (await replica.shown(id)).status == "revoked"
    assert not any(grant.alive for grant in scene.world.ledger.grants("person 0"))
