"""Killed for real, at any moment, again and again, where refresh tokens rotate strictly.

An answer that TikTok gave and that never reached the journal is lost on the wire; nobody can close
that gap. Which those are is not guessed: after each kill, what TikTok issued last is looked for in
the store and in the journals. What is there must never be lost, nor its predecessor presented.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from random import Random

from connector.journal.lines import read
from connector.model import Kept, Sealed
from tests.houses import settings_for

from . import victim
from .scene import Replica, Scene, crowd

PEOPLE = 40
KILLS = 50
LONGEST_LIFE = 0.15
A_LIFE_AND_MORE = 5


async def test_killed_at_50_random_moments_it_loses_nothing_but_what_the_wire_took(
    scene: Scene,
) -> None:
    office = await scene.replica({"CONNECTOR_JOURNAL": str(scene.path / "office.journal")})
    ids = await crowd(scene, office, PEOPLE)
    chance, taken_by_the_wire = Random(KILLS), 0
    for _ in range(KILLS):
        await one_life(scene, ids, chance.uniform(0, LONGEST_LIFE))
        lost = await Search(scene, office).in_vain(ids)
        taken_by_the_wire += len(lost)
        assert len(lost) <= victim.AT_ONCE
        for id in lost:
            assert await scene.join(office, ids.index(id)) == id
        scene.clock.turn(A_LIFE_AND_MORE)

    last = await scene.replica()
    await last.tend()
    assert [(await last.shown(id)).status for id in ids] == ["active"] * PEOPLE
    assert all([scene.works((await last.read(id)).tokens) for id in ids])
    stats = await scene.simulator.stats()
    assert stats["dead_refresh_token_presented"] == 0
    assert stats["refreshes"] - taken_by_the_wire > KILLS


async def one_life(scene: Scene, ids: Sequence[str], seconds: float) -> None:
    """From the start, which replays what the one before left, to a kill at any point of anything."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([victim.__name__])
    ours, theirs = processes.Pipe()
    settings = settings_for(scene.path, scene.simulator.url)
    arguments = (settings, scene.clock.now(), ids, theirs)
    process = processes.Process(target=victim.live, args=arguments, daemon=True)
    await asyncio.to_thread(process.start)
    theirs.close()
    await asyncio.to_thread(ours.recv)
    await asyncio.sleep(seconds)
    process.kill()
    await asyncio.to_thread(process.join)
    ours.close()


class Search:
    """For the pair that TikTok issued last."""

    def __init__(self, scene: Scene, office: Replica) -> None:
        self._scene = scene
        self._office = office
        self._ledger = scene.world.ledger

    async def in_vain(self, ids: Sequence[str]) -> set[str]:
        await self._until_tiktok_is_quiet()
        kept = {id: await self._office.kept(id) for id in ids}
        stored = {id: self._refresh_token(each, each.sealed) for id, each in kept.items()}
        found = {self._refresh_token(kept[id], sealed) for id, sealed in self._journaled()}
        found |= set(stored.values())
        return {id for id, token in stored.items() if self._newest(token) not in found}

    async def _until_tiktok_is_quiet(self) -> None:
        """What the dead one had still asked for is done all the same."""
        quiet = 0
        while quiet < 5:
            await asyncio.sleep(0.002)
            quiet = 0 if self._scene.world.record.stats()["in_flight"] else quiet + 1

    def _journaled(self) -> Iterator[tuple[str, Sealed]]:
        for file in self._scene.path.glob("connector.journal*"):
            for entry in read(file.read_bytes()).live.values():
                yield entry.fields["id"], Sealed(entry.fields["sealed"])

    def _newest(self, token: str) -> str:
        while (after := self._ledger._refresh[token].successor) is not None:
            token = str(after.refresh)
        return token

    def _refresh_token(self, kept: Kept, sealed: Sealed | None) -> str:
        assert sealed is not None
        tokens = self._office.house.seal.open(sealed, bound_to=kept.bond)
        assert tokens.refresh is not None
        return tokens.refresh.get_secret_value()
