"""Rotation without loss: whatever dies between TikTok's answer and the store."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from connector.app import House
from connector.errors import JournalUnwritable, StoreUnreachable
from connector.journal import Entry
from connector.journal.lines import read
from tests.houses import AS_SERVER, serving, settings_for
from tests.journal.test_disks import files_up_to, mounted
from tests.stack import Stack

from .scene import REFRESH, Gate, Replica, Scene


async def test_the_answer_is_in_the_journal_before_the_store_hears_of_it(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    gate = replica.database.before["save_outcomes"] = Gate()
    forcing = asyncio.create_task(replica.force(id))
    await gate.reached.wait()
    [entry] = read(replica.house.journal.path.read_bytes()).live.values()
    assert (entry.fields["id"], entry.fields["version"]) == (id, 1)
    gate.open.set()
    await forcing
    assert replica.house.journal.held == 0


async def test_a_token_the_store_did_not_take_is_served_here_and_saved_later(
    scene: Scene, replica: Replica
) -> None:
    """A database that is full can still be read: what it says is older than what we hold."""
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    replica.database.fails["save_outcomes"] = "before"
    first = await replica.read(id)
    assert scene.works(first.tokens)
    assert (await replica.kept(id)).version == 1
    assert (await replica.read(id)).tokens == first.tokens
    assert await scene.refreshes() == 1
    replica.database.fails.clear()
    await replica.tend()
    assert await replica.tokens(id) == first.tokens
    assert await scene.refreshes() == 1


async def test_it_is_saved_before_anything_new_is_claimed(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    replica.database.calls.clear()
    for ask in (replica.force(id), replica.keeper.tend()):
        with pytest.raises(StoreUnreachable):
            await ask
    assert replica.database.calls["save_outcomes"] == 2
    assert not replica.database.calls["claim_refresh"] + replica.database.calls["claim_due"]
    assert await scene.refreshes() == 1


async def test_a_save_whose_answer_was_lost_is_made_once(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    replica.database.fails["save_outcomes"] = "after"
    kept = await replica.force(id)
    assert kept.version == (await replica.kept(id)).version == 2
    replica.database.fails.clear()
    await replica.tend()
    assert await replica.kept(id) == kept
    assert scene.works(await replica.tokens(id))


async def test_killed_before_the_store_had_it_the_next_life_saves_it_first(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    gate = replica.database.before["save_outcomes"] = Gate()
    reading = asyncio.create_task(replica.read(id))
    await gate.reached.wait()
    await replica.dies()
    with pytest.raises(asyncio.CancelledError):
        await reading
    next_life = await scene.replica()
    assert scene.works(await next_life.tokens(id))
    assert await next_life.last(id) == "read ok None"
    stats = await scene.simulator.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (1, 0)


async def test_a_store_that_is_away_at_the_start_gets_it_as_soon_as_it_is_back(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    await replica.dies()
    again = await scene.replica(fails={"save_outcomes": "before"})
    assert (await again.kept(id)).version == 1
    assert scene.works((await again.read(id)).tokens)
    again.database.fails.clear()
    await again.tend()
    assert (await again.kept(id)).version == 2
    assert scene.works(await again.tokens(id))
    assert await scene.refreshes() == 1


async def test_an_entry_that_comes_back_changes_nothing(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    gate = replica.database.before["save_outcomes"] = Gate()
    forcing = asyncio.create_task(replica.force(id))
    await gate.reached.wait()
    journal = scene.path / "connector.journal"
    shutil.copy(journal, scene.path / "copy")
    gate.open.set()
    await forcing
    await replica.force(id)
    newest = await replica.tokens(id)
    await replica.dies()
    shutil.copy(scene.path / "copy", journal)
    again = await scene.replica()
    assert await again.tokens(id) == newest
    assert (await again.store.attempts(id))[0].verdict == "superseded"


async def test_a_damaged_last_line_costs_no_other(
    scene: Scene, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    id = await scene.connect(replica)
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    await replica.dies()
    journal = scene.path / "connector.journal"
    whole = journal.read_bytes().rstrip(b"\0")
    journal.write_bytes(whole + b'\n1c291ca3 {"ticket":7,"kind":"refr')
    again = await scene.replica()
    assert scene.works(await again.tokens(id))
    assert "dropped damaged lines" in caplog.text


async def test_an_entry_nobody_understands_does_not_keep_the_service_from_starting(
    scene: Scene, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    id = await scene.connect(replica)
    await replica.house.journal.write(Entry("refresh", {"from": "another version"}))
    replica.database.fails["save_outcomes"] = "before"
    await replica.force(id)
    await replica.dies()
    again = await scene.replica()
    assert scene.works(await again.tokens(id))
    assert "journal entry not understood" in caplog.text
    [(_, left)] = [entry for entry in again.house.journal.left() if "from" in entry[1].fields]
    assert left.kind == "refresh"


async def test_on_a_full_disk_no_refresh_token_is_spent_and_the_alarm_is_clear(
    scene: Scene, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    stack.truncate()
    replica = await scene.replica(stack.environment())
    id = await scene.connect(replica)
    old = await replica.tokens(id)
    scene.age(old)
    calls = (await scene.simulator.stats())["calls"]
    with files_up_to(0):
        assert (await replica.read(id)).tokens == old
        with pytest.raises(JournalUnwritable, match=r"cannot be written: File too large"):
            await replica.force(id)
    assert (await scene.simulator.stats())["calls"] == calls
    shown = await replica.shown(id)
    assert shown.status == "refresh_failing"
    assert shown.failure is not None
    assert shown.failure.code == "journal_unwritable"
    assert "No refresh token is spent" in shown.failure.message
    assert await replica.last(id) == "refresh journal_unwritable None"
    assert replica.house.journal.trouble
    assert "journal unwritable" in caplog.text

    scene.clock.turn(60)
    await replica.tend()
    shown = await replica.shown(id)
    assert (shown.status, shown.failure) == ("active", None)
    assert replica.house.journal.trouble is None
    kinds = [row["kind"] for row in stack.sql("select kind from connector.events order by id")]
    assert kinds == ["connected", "recovered"]


async def test_on_a_disk_that_became_read_only_the_old_token_is_served_and_the_operator_is_told(
    scene: Scene,
) -> None:
    place = scene.path / "place"
    journal = {"CONNECTOR_JOURNAL": str(place / "connector.journal")}
    house = House.build(settings_for(scene.path, scene.simulator.url, **journal), clock=scene.clock)
    with mounted("size=1m") as well, mounted("ro") as ill:
        place.symlink_to(well)
        async with serving(house) as url:
            replica, http = Replica(house), scene.simulator.http
            id = await scene.connect(replica)
            old = await replica.tokens(id)
            calls = (await scene.simulator.stats())["calls"]
            place.unlink()
            place.symlink_to(ill)
            scene.age(old)
            assert (await replica.read(id)).tokens == old
            with pytest.raises(JournalUnwritable, match="cannot be written"):
                await replica.force(id)
            assert (await scene.simulator.stats())["calls"] == calls
            assert await replica.last(id) == "refresh journal_unwritable None"
            async with http.get(f"{url}/readyz") as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "journal_unwritable")
            async with http.get(f"{url}/metrics", headers=AS_SERVER) as answer:
                assert "connector_journal_trouble 1.0" in await answer.text()

            place.unlink()
            place.symlink_to(well)
            await replica.force(id)
            assert await scene.refreshes() == 1
            async with http.get(f"{url}/readyz") as answer:
                assert answer.status == 200


async def test_a_disk_that_breaks_under_journal_and_store_at_once_is_survived_while_we_live(
    scene: Scene, replica: Replica
) -> None:
    """Room was proven, TikTok has answered, and now only this process knows the token."""
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "hang")
    reading = asyncio.create_task(replica.read(id))
    await scene.in_the_air()
    with files_up_to(0):
        scene.let_go()
        working = await reading
        assert scene.works(working.tokens)
        assert (await replica.kept(id)).version == 1
        assert (await replica.read(id)).tokens == working.tokens
    await replica.tend()
    assert await replica.tokens(id) == working.tokens
    assert await scene.refreshes() == 1


async def test_an_answer_lost_on_the_wire_is_asked_for_again_and_found_under_grace(
    scene: Scene, replica: Replica
) -> None:
    await scene.simulator.post("/_sim/settings", {"rotation": "grace"})
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "drop_after_effect")
    await replica.read(id)
    [lost, *_] = await replica.store.attempts(id)
    assert lost.verdict == "tiktok_unreachable"
    assert "its answer was lost on the way" in lost.message
    scene.clock.turn(20)
    await replica.tend()
    assert (await replica.shown(id)).status == "active"
    assert scene.works(await replica.tokens(id))


async def test_and_where_rotation_is_strict_the_log_says_what_happened(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "drop_after_effect")
    await replica.read(id)
    scene.clock.turn(20)
    await replica.tend()
    assert (await replica.shown(id)).status == "reconnect_required"
    [ended, lost, *_] = await replica.store.attempts(id)
    assert (lost.verdict, ended.verdict, ended.code) == (
        "tiktok_unreachable",
        "reconnect_required",
        "invalid_grant",
    )
    assert "an attempt failed with tiktok_unreachable" in ended.message
