"""A process that recovers a file reports the dead owner, and never reports a running process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from .disks import files_up_to
from .helpers import (
    damage,
    file_of_killed_process,
    file_of_stopped_process,
    files_in,
    kill,
    names,
    open_journal,
    own_file,
    owners,
    running,
)


async def test_a_recovering_process_reports_the_owner_ids_of_dead_processes(folder: Path) -> None:
    first, second = await open_journal(folder), await open_journal(folder)
    await kill(second)
    await kill(first)
    async with running(folder) as third:
        assert owners(third) == {first.owner_id, second.owner_id}
        async with running(folder) as fourth:
            assert owners(fourth) == set()


async def test_a_running_process_is_not_reported_as_dead(folder: Path) -> None:
    async with running(folder):
        await kill(second := await open_journal(folder))
        async with running(folder) as third:
            assert owners(third) == {second.owner_id}


async def test_a_dead_owner_is_not_counted_as_a_journal_entry(folder: Path) -> None:
    await kill(await open_journal(folder))
    async with running(folder) as second:
        assert (second.entry_count, second.recovered.entries) == (0, ())


async def test_a_dead_owner_is_reported_after_each_start_until_it_is_removed(
    folder: Path,
) -> None:
    await kill(first := await open_journal(folder))
    await kill(second := await open_journal(folder))
    third = await open_journal(folder)
    assert owners(third) == {first.owner_id, second.owner_id}
    for recovered in third.recovered.owners:
        await third.remove(recovered.entry_id)
    await kill(third)
    async with running(folder) as fourth:
        assert owners(fourth) == {third.owner_id}


async def test_a_clean_stop_does_not_remove_dead_owners(folder: Path) -> None:
    """`connector check` between a crash and the next start removes no dead owner."""
    await kill(first := await open_journal(folder))
    async with running(folder):
        pass
    async with running(folder) as third:
        assert first.owner_id in owners(third)
        for recovered in third.recovered.owners:
            await third.remove(recovered.entry_id)
    assert files_in(folder) == []


async def test_a_dead_owner_survives_the_move_to_a_larger_file(folder: Path) -> None:
    await kill(first := await open_journal(folder))
    second = await open_journal(folder)
    async with AsyncExitStack() as reservations:
        for _ in range(200):
            await reservations.enter_async_context(second.reserve())
    assert own_file(second).path.name != f"{second.owner_id}.db"
    await kill(second)
    async with running(folder) as third:
        assert owners(third) == {first.owner_id, second.owner_id}


async def test_a_damaged_owner_id_does_not_affect_journal_entries(folder: Path) -> None:
    await kill(first := await open_journal(folder))
    path = await file_of_stopped_process(folder, *"abc")
    damage(path, first.owner_id.encode(), b"?" * 32)
    async with running(folder) as third:
        assert (names(third), owners(third)) == (["a", "b", "c"], {path.stem})
    assert path.exists()


async def test_a_process_that_cannot_write_its_own_file_still_reports_dead_owners(
    folder: Path,
) -> None:
    dead_owner_id = (await file_of_killed_process(folder, *"abc")).stem
    with files_up_to(0):
        second = await open_journal(folder)
        assert owners(second) == {dead_owner_id}
    await kill(second)
    async with running(folder) as third:
        assert owners(third) == {dead_owner_id}


async def test_a_process_creates_its_journal_file_as_soon_as_the_disk_has_space(
    folder: Path,
) -> None:
    with files_up_to(0):
        journal = await open_journal(folder)
    assert files_in(folder) == []
    async with journal.reserve():
        pass
    await kill(journal)
    async with running(folder) as second:
        assert owners(second) == {journal.owner_id}
