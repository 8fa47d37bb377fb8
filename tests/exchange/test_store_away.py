"""The store fails at the worst moments. A code is not burnt for it, and what was given is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from connector.errors import StoreUnreachable, TikTokUnreachable
from tests.gateway import Fault
from tests.houses import Simulator
from tests.people import ANNA
from tests.places import Place
from tests.stack import Stack

from .scene import ADVERTISERS, Scene, at

FAULTS = cast(list[Fault], ["down", "503", "hang", "drop_after"])
DEFINITE = FAULTS[:3]


@pytest.fixture
async def scene(
    supabase: Place, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    monkeypatch.setattr("connector.store.supabase.DEADLINE", 0.2)
    async with at(supabase, simulator, tmp_path / "first") as opened:
        yield opened


@asynccontextmanager
async def halfway(scene: Scene, code: str, state: str) -> AsyncIterator[asyncio.Task[object]]:
    """The code is exchanged and the advertisers are being asked for."""
    await scene.simulator.fault(ADVERTISERS, "hang")
    posting: asyncio.Task[object] = asyncio.create_task(scene.post(code, state))
    await scene.called(ADVERTISERS)
    yield posting
    if not posting.done():
        await posting


@pytest.mark.parametrize("fault", FAULTS)
async def test_with_the_store_away_the_code_is_not_sent(
    scene: Scene, stack: Stack, fault: Fault
) -> None:
    code, state = await scene.consent(), scene.state()
    with stack.gateway.failing(fault), pytest.raises(StoreUnreachable) as caught:
        await scene.post(code, state)
    assert caught.value.retry_after
    assert scene.calls("") == 0
    assert (await scene.post(code, state))["success"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_grant_survives_the_store_going_away_before_it_is_saved(
    scene: Scene, stack: Stack, fault: Fault
) -> None:
    code, state = await scene.consent(advertisers=2), scene.state()
    async with halfway(scene, code, state) as posting:
        with stack.gateway.failing(fault):
            scene.simulator.world.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
            with pytest.raises(StoreUnreachable):
                await scene.post(code, state)
            assert scene.house.exchange.behind == 1
    answer = await scene.post(code, state)
    assert scene.place.row("connections")["id"] == answer["connection_id"]
    assert (scene.exchanges, scene.house.exchange.behind) == (1, 0)


@pytest.mark.parametrize("fault", DEFINITE)
async def test_a_grant_that_could_not_be_saved_waits_in_its_claim(
    scene: Scene, stack: Stack, fault: Fault
) -> None:
    code, state = await scene.consent(), scene.state()
    with stack.gateway.failing(fault, on="save_connections"), pytest.raises(StoreUnreachable):
        await scene.post(code, state)
    assert scene.place.row("codes")["sealed"]
    assert (await scene.post(code, state))["success"]
    assert scene.exchanges == 1


@pytest.mark.parametrize("on", ["save_connections", "/rest/v1/"])
async def test_a_save_whose_answer_was_lost_is_not_made_twice(
    scene: Scene, stack: Stack, on: str
) -> None:
    code, state = await scene.consent(), scene.state()
    async with halfway(scene, code, state) as posting:
        with stack.gateway.failing("drop_after", on=on):
            scene.simulator.world.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
    calls = scene.calls("")
    answer = await scene.post(code, state)
    row = scene.place.row("connections")
    assert (row["id"], row["version"]) == (answer["connection_id"], 1)
    assert scene.calls("") == calls


async def test_a_lost_word_about_a_refusal_does_not_hide_the_refusal(
    scene: Scene, stack: Stack
) -> None:
    code, state = await scene.consent(), scene.state()
    await scene.simulator.fault("oauth2/access_token", "status", 503)
    with stack.gateway.failing("down", on="settle_code"), pytest.raises(TikTokUnreachable):
        await scene.post(code, state)
    assert (await scene.post(code, state))["success"]


async def test_a_restart_while_the_store_is_away_loses_nothing(
    scene: Scene, stack: Stack, tmp_path: Path
) -> None:
    async with at(scene.place, scene.simulator, tmp_path / "second") as second:
        code, state = await scene.consent(), scene.state()
        async with halfway(second, code, state) as posting:
            with stack.gateway.failing("down"):
                scene.simulator.world.faults.clear()
                with pytest.raises(StoreUnreachable):
                    await posting
    async with AsyncExitStack() as life:
        with stack.gateway.failing("down"):
            next_process = at(scene.place, scene.simulator, tmp_path / "second")
            third = await life.enter_async_context(next_process)
        assert third.house.exchange.behind == 1
        await third.catch_up()
        assert scene.place.row("user_accounts")["id"] == ANNA
    assert scene.exchanges == 1


async def test_others_connect_while_one_grant_waits_for_an_unwell_tiktok(
    scene: Scene, stack: Stack
) -> None:
    code, state = await scene.consent(), scene.state()
    async with halfway(scene, code, state) as posting:
        with stack.gateway.failing("down"):
            scene.simulator.world.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
    await scene.simulator.fault(ADVERTISERS, "hang")
    catching_up = asyncio.create_task(scene.catch_up())
    await scene.called(ADVERTISERS, times=2)
    assert (await scene.connect("login_kit"))["success"]
    scene.simulator.world.faults.clear()
    await catching_up
    assert len(scene.rows("connections")) == 2
