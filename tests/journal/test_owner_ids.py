"""The process that recovers a file learns which process died, and no process is reported alive."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from .disks import files_up_to
from .helpers import (
    damage,
    files_in,
    kill,
    killed_with,
    names,
    opened,
    own_file,
    owners,
    running,
    stopped_with,
)


async def test_a_recovering_process_learns_which_processes_died(folder: Path) -> None:
    first, second = await opened(folder), await opened(folder)
    await kill(second)
    await kill(first)
    async with running(folder) as third:
        assert owners(third) == {first.owner_id, second.owner_id}
        async with running(folder) as fourth:
            assert owners(fourth) == set()


async def test_a_running_process_is_not_reported_as_dead(folder: Path) -> None:
    async with running(folder):
        await kill(second := await opened(folder))
        async with running(folder) as third:
            assert owners(third) == {second.owner_id}


async def test_a_dead_owner_is_not_counted_as_a_response(folder: Path) -> None:
    await kill(await opened(folder))
    async with running(folder) as second:
        assert (second.entry_count, second.recovered_entries()) == (0, [])


async def test_a_dead_owner_is_reported_after_each_start_until_it_is_removed(
    folder: Path,
) -> None:
    await kill(first := await opened(folder))
    await kill(second := await opened(folder))
    third = await opened(folder)
    assert owners(third) == {first.owner_id, second.owner_id}
    for recovered in third.recovered_owners():
        await third.remove(recovered.entry_id)
    await kill(third)
    async with running(folder) as fourth:
        assert owners(fourth) == {third.owner_id}


async def test_a_clean_stop_keeps_dead_owners_but_reports_none_of_itself(folder: Path) -> None:
    """`connector check` between a crash and the next start takes nothing away."""
    await kill(first := await opened(folder))
    async with running(folder):
        pass
    async with running(folder) as third:
        assert first.owner_id in owners(third)
        for recovered in third.recovered_owners():
            await third.remove(recovered.entry_id)
    assert files_in(folder) == []


async def test_a_dead_owner_survives_the_move_to_a_larger_file(folder: Path) -> None:
    await kill(first := await opened(folder))
    second = await opened(folder)
    async with AsyncExitStack() as reservations:
        for _ in range(200):
            await reservations.enter_async_context(second.reserve())
    assert own_file(second).path.name != f"{second.owner_id}.db"
    await kill(second)
    async with running(folder) as third:
        assert owners(third) == {first.owner_id, second.owner_id}


async def test_a_damaged_owner_id_loses_no_response(folder: Path) -> None:
    await kill(first := await opened(folder))
    path = await stopped_with(folder, *"abc")
    damage(path, first.owner_id.encode(), b"?" * 32)
    async with running(folder) as third:
        assert (names(third), owners(third)) == (["a", "b", "c"], {path.stem})
    assert path.exists()


async def test_a_process_that_cannot_write_its_own_file_learns_who_died_all_the_same(
    folder: Path,
) -> None:
    died = (await killed_with(folder, *"abc")).stem
    with files_up_to(0):
        second = await opened(folder)
        assert owners(second) == {died}
    await kill(second)
    async with running(folder) as third:
        assert owners(third) == {died}


async def test_a_process_creates_its_file_as_soon_as_the_disk_has_space(folder: Path) -> None:
    with files_up_to(0):
        journal = await opened(folder)
    assert files_in(folder) == []
    async with journal.reserve():
        pass
    await kill(journal)
    async with running(folder) as second:
        assert owners(second) == {journal.owner_id}
