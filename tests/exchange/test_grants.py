"""A grant that TikTok gave is never lost: not to TikTok's own troubles, not to a crash."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    CodeSpent,
    ConnectorError,
    JournalUnwritable,
    Misconfigured,
    TikTokUnreachable,
)
from connector.grants import GIVE_UP
from connector.journal import Entry
from connector.schedule import FIRST_RETRY
from connector.seal import Key
from tests.houses import Simulator
from tests.journal.test_disks import files_up_to
from tests.people import ANNA
from tests.places import Place

from .scene import ADVERTISERS, Scene, at, on_sqlite

TROUBLES = [
    ("status", 503),
    ("code", 50000),
    ("code", 40100),
    ("garbage", "html"),
    ("garbage", "wrong_type"),
    ("drop_after_effect", None),
    ("hang", None),
]
SOON = FIRST_RETRY.total_seconds()


def journal_of(directory: Path) -> Path:
    return directory / "connector.journal"


async def put_aside(scene: Scene, **consent: Any) -> tuple[str, str]:
    """A code that was exchanged, and led no further yet."""
    code, state = await scene.consent(**consent), scene.state()
    await scene.simulator.fault(ADVERTISERS, "status", 503)
    with pytest.raises(TikTokUnreachable):
        await scene.post(code, state)
    return code, state


@on_sqlite
@pytest.mark.parametrize(("kind", "value"), TROUBLES)
async def test_while_the_advertisers_cannot_be_had_the_grant_waits(
    scene: Scene, kind: str, value: Any
) -> None:
    scene.house.transport._deadline = 0.2
    code, state = await scene.consent(advertisers=3), scene.state()
    # The HTTP client itself asks a second time when a line that was kept open breaks.
    times = 2 if kind == "drop_after_effect" else 1
    await scene.simulator.fault(ADVERTISERS, kind, value, times=times)
    with pytest.raises(ConnectorError) as caught:
        await scene.post(code, state)
    assert (caught.value.retryable, scene.rows("connections")) == (True, [])
    answer = await scene.post(code, state)
    assert len(answer["advertisers"]) == 3
    assert scene.exchanges == 1


async def test_a_grant_that_waits_is_sealed(scene: Scene) -> None:
    await put_aside(scene)
    assert scene.place.row("codes")["sealed"].startswith("v1.")


async def test_another_process_goes_on_from_there(scene: Scene, tmp_path: Path) -> None:
    code, state = await put_aside(scene)
    async with at(scene.place, scene.simulator, tmp_path / "second") as other:
        answer = await other.post(code, state)
    assert await scene.post(code, state) == answer
    assert scene.exchanges == 1


async def test_what_another_process_finished_is_off_our_journal(
    scene: Scene, tmp_path: Path
) -> None:
    code, state = await put_aside(scene)
    async with at(scene.place, scene.simulator, tmp_path / "second") as other:
        await other.post(code, state)
    scene.clock.turn(SOON)
    await scene.catch_up()
    assert not scene.house.journal._live
    assert scene.place.row("connections")["version"] == 1


async def test_if_nobody_posts_again_it_becomes_a_connection_by_itself(scene: Scene) -> None:
    await put_aside(scene)
    await scene.catch_up()
    assert scene.rows("connections") == []
    scene.clock.turn(SOON)
    await scene.catch_up()
    assert scene.place.row("user_accounts")["id"] == ANNA
    assert scene.exchanges == 1


async def test_what_is_finished_is_not_gone_on_with(scene: Scene, tmp_path: Path) -> None:
    await put_aside(scene)
    code, state = await put_aside(scene)
    async with at(scene.place, scene.simulator, tmp_path / "second") as other:
        await other.post(code, state)
    scene.clock.turn(SOON)
    await scene.catch_up()
    scene.clock.turn(24 * SOON)
    assert scene.house.exchange._backlog.due() == []


async def test_an_unwell_tiktok_is_asked_less_and_less(scene: Scene) -> None:
    await scene.simulator.fault(ADVERTISERS, "status", 503, times=-1)
    with pytest.raises(TikTokUnreachable):
        await scene.connect()
    for _ in range(360):
        scene.clock.turn(10)
        await scene.catch_up()
    assert 5 <= scene.calls(ADVERTISERS) <= 12


async def test_after_a_day_nobody_is_waiting_any_more(scene: Scene) -> None:
    await put_aside(scene)
    scene.clock.turn(GIVE_UP.total_seconds() + 1)
    await scene.simulator.fault(ADVERTISERS, "status", 503)
    await scene.catch_up()
    assert not scene.house.journal._live


async def test_the_next_process_finds_it_in_the_journal(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        await put_aside(scene)
    async with at(place, simulator, tmp_path / "first") as scene:
        await scene.catch_up()
        assert scene.place.row("connections")["status"] == "active"
        assert scene.exchanges == 1
    assert not journal_of(tmp_path / "first").exists()


async def test_starting_does_not_wait_for_tiktok(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        code, state = await put_aside(scene)
    calls = scene.calls("")
    async with at(place, simulator, tmp_path / "first") as scene:
        assert scene.calls("") == calls
        assert (await scene.post(code, state))["success"]


async def test_a_grant_that_comes_back_from_the_journal_changes_nothing(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    """That it was cleared need not have reached the disk."""
    journal, kept = journal_of(tmp_path / "first"), tmp_path / "kept"
    async with at(place, simulator, tmp_path / "first") as scene:
        await simulator.fault(ADVERTISERS, "hang")
        posting = asyncio.create_task(scene.connect())
        await scene.called(ADVERTISERS)
        shutil.copy(journal, kept)
        simulator.world.faults.clear()
        await posting
    calls = scene.calls("")
    shutil.copy(kept, journal)
    async with at(place, simulator, tmp_path / "first") as scene:
        await scene.catch_up()
    assert scene.place.row("connections")["version"] == 1
    assert scene.calls("") == calls
    assert not journal.exists()


async def test_killed_before_tiktok_answered_the_claim_is_free_at_the_next_start(
    place: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(place, simulator, tmp_path / "first") as scene:
        code, state = await scene.consent(), scene.state()
        await simulator.fault("oauth2/access_token", "hang")
        lost = asyncio.create_task(scene.post(code, state))
        await scene.called("oauth2/access_token")
        (tmp_path / "next").mkdir()
        shutil.copy(journal_of(tmp_path / "first"), journal_of(tmp_path / "next"))
        async with at(place, simulator, tmp_path / "next") as following:
            answer = await following.post(code, state)
        simulator.world.faults.clear()
        with pytest.raises(CodeSpent):
            await lost
        assert await scene.post(code, state) == answer


async def test_giving_a_claim_back_does_not_lose_the_grant_in_it(scene: Scene) -> None:
    code, state = await put_aside(scene)
    row = scene.place.row("codes")
    scene.house.exchange._backlog._claims.append(
        (Entry("code", {"key": row["key"], "holder": row["holder"]}), None)
    )
    assert (await scene.post(code, state))["success"]
    assert scene.exchanges == 1


async def test_a_grant_under_a_lost_key_waits_until_the_key_is_found(
    supabase: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(supabase, simulator, tmp_path / "first") as scene:
        code, state = await put_aside(scene)
    other = {"CONNECTOR_ENCRYPTION_KEYS": Key.new("other").text()}
    async with at(supabase, simulator, tmp_path / "first", **other) as scene:
        intent = scene.house.intents.read(scene.state(), None)
        for _ in range(2):
            with pytest.raises(Misconfigured, match="lacks"):
                await scene.house.exchange.exchange(code, state=state, intent=intent, who="person")
    async with at(supabase, simulator, tmp_path / "first") as scene:
        assert (await scene.post(code, state))["success"]


async def test_a_grant_the_store_will_not_take_does_not_stop_the_others(
    supabase: Place, simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at(supabase, simulator, tmp_path / "first") as scene:
        fields = {"key": "k", "sealed": "s", "user_id": "nobody", "family": "marketing"}
        more = {"redirect_uri": "r", "issued_at": scene.clock.now().isoformat(), "who": "person"}
        await scene.house.journal.write(Entry("grant", fields | more))
        await put_aside(scene)
    async with at(supabase, simulator, tmp_path / "first") as scene:
        await scene.catch_up()
        assert (await scene.connect(user_id=ANNA))["success"]
        assert len(scene.house.journal._live) == 1
    assert "the journal keeps it" in caplog.text


async def test_without_room_in_the_journal_the_code_is_not_sent(
    supabase: Place, simulator: Simulator, tmp_path: Path
) -> None:
    async with at(supabase, simulator, tmp_path / "first") as scene:
        code, state = await scene.consent(), scene.state()
        with files_up_to(1), pytest.raises(JournalUnwritable) as caught:
            await scene.post(code, state)
        assert caught.value.retry_after
        assert scene.exchanges == 0
        assert (await scene.post(code, state))["success"]
