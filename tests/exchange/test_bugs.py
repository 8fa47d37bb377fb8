"""A bug of ours, or a line nobody can read, costs neither the grant nor the others theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import Broken
from connector.journal import Entry
from tests.houses import Simulator
from tests.places import Place

from .scene import Scene, at, on_sqlite
from .test_grants import SOON, put_aside


@on_sqlite
@pytest.mark.parametrize("again", ["posted", "left alone"])
async def test_a_bug_of_ours_does_not_cost_the_grant(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    code, state = await scene.consent(), scene.state()
    monkeypatch.setattr(scene.house.exchange._connecting, "_account_tokens", None)
    with pytest.raises(Broken):
        await scene.post(code, state)
    monkeypatch.undo()
    assert scene.place.row("codes")["sealed"]
    if again == "posted":
        await scene.post(code, state)
    scene.clock.turn(SOON)
    await scene.catch_up()
    assert scene.place.row("connections")["version"] == 1
    assert scene.exchanges == 1


@on_sqlite
async def test_a_bug_of_ours_frees_a_claim_that_nothing_was_given_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, state = await scene.consent(), scene.state()
    monkeypatch.setattr(scene.house.exchange, "_transport", None)
    with pytest.raises(Broken):
        await scene.post(code, state)
    monkeypatch.undo()
    assert (await scene.post(code, state))["success"]


@on_sqlite
async def test_a_grant_the_store_will_not_take_yet_is_gone_on_with(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        await put_aside(scene)
    place.script("create trigger no before update on codes begin select raise(abort, 'no'); end")
    async with at(place, simulator, tmp_path / "first") as scene:
        scene.clock.turn(SOON)
        await scene.catch_up()
        place.script("drop trigger no")
        scene.clock.turn(4 * SOON)
        await scene.catch_up()
        assert scene.place.row("connections")["status"] == "active"
        assert scene.exchanges == 1


@on_sqlite
@pytest.mark.parametrize("kind", ["grant", "code"])
async def test_a_journal_line_nobody_understands_does_not_stop_the_others(
    place: Place, simulator: Simulator, tmp_path: Path, kind: str
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        await scene.house.journal.write(Entry(kind, {"key": "k"}))
        await put_aside(scene)
    async with at(place, simulator, tmp_path / "first") as scene:
        scene.clock.turn(SOON)
        await scene.catch_up()
        assert scene.place.row("connections")["status"] == "active"
