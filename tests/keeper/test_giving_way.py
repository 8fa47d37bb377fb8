"""Whoever asks for a token comes before those that are merely due."""

from __future__ import annotations

from connector.flights import FEW_AT_A_TIME, LATELY

from .scene import Replica, Scene, crowd

HOUR = 3600
PEOPLE = 2 * FEW_AT_A_TIME


async def test_while_tokens_are_read_the_background_takes_a_few_at_a_time(
    scene: Scene, replica: Replica
) -> None:
    healthy = await scene.connect(replica, "marketing")
    await crowd(scene, replica, PEOPLE)
    scene.clock.turn(2 * HOUR * 0.8)
    await replica.read(healthy)
    assert await replica.keeper.tend()
    await replica.keeper.settled()
    assert await scene.refreshes() == FEW_AT_A_TIME


async def test_and_makes_up_for_it_as_soon_as_nobody_asks(scene: Scene, replica: Replica) -> None:
    healthy = await scene.connect(replica, "marketing")
    await crowd(scene, replica, PEOPLE)
    scene.clock.turn(2 * HOUR * 0.8)
    await replica.read(healthy)
    scene.clock.turn(LATELY)
    assert not await replica.keeper.tend()
    await replica.keeper.settled()
    assert await scene.refreshes() == PEOPLE
