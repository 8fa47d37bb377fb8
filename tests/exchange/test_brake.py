"""One state is for one person's attempt, not for trying out codes at TikTok."""

from __future__ import annotations

import pytest

from connector.errors import CodeSpent, SlowDown
from connector.intent import BREATHER, HANDFUL

from .scene import Scene, on_sqlite
from .test_exchange import told


@on_sqlite
async def test_with_one_state_codes_are_not_invented_without_end(scene: Scene) -> None:
    state = scene.state()
    for n in range(HANDFUL):
        assert (await told(scene.post(f"invented-{n}", state)))[0] is CodeSpent
    code = await scene.consent()
    for _ in range(5):
        with pytest.raises(SlowDown) as caught:
            await scene.post(code, state)
    assert caught.value.retry_after == BREATHER.total_seconds()
    assert scene.exchanges == HANDFUL
    assert (await scene.connect(person="mia"))["success"]
    assert (await told(scene.post("invented-0", state)))[0] is CodeSpent
    scene.clock.turn(BREATHER.total_seconds())
    assert (await scene.post(code, state))["success"]


@on_sqlite
async def test_good_codes_with_one_state_are_no_abuse(scene: Scene) -> None:
    state = scene.state()
    for _ in range(2 * HANDFUL):
        assert (await scene.post(await scene.consent(), state))["success"]
