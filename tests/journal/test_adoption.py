"""A running process adopts the files of processes that have died, as the next process that starts does."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Recovered

from .disks import files_up_to
from .helpers import (
    damage,
    entries_on_disk,
    entry,
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
from .test_processes import running_child


def adopted_names(recovered: Recovered) -> list[str]:
    return [found.entry.fields["id"] for found in recovered.entries]


async def test_a_running_process_adopts_the_entries_and_the_owner_of_a_process_killed_with_sigkill(
    folder: Path,
) -> None:
    async with running(folder) as journal, running_child(folder) as (child, owner_id):
        assert await journal.adopt_dead_files() == Recovered()
        child.kill()
        await child.wait()
        recovered = await journal.adopt_dead_files()
        assert adopted_names(recovered) == ["child"]
        assert [owner.owner_id for owner in recovered.owners] == [owner_id]
        assert not list(folder.glob(f"{owner_id}*"))
        assert len(await entries_on_disk(journal)) == 2
        assert await journal.adopt_dead_files() == Recovered()


async def test_a_running_process_adopts_neither_the_file_of_a_paused_process_nor_its_own(
    folder: Path,
) -> None:
    async with running(folder) as journal, running_child(folder) as (child, owner_id):
        await journal.append(entry("a"))
        os.kill(child.pid, signal.SIGSTOP)
        for _ in range(3):
            assert await journal.adopt_dead_files() == Recovered()
        assert list(folder.glob(f"{owner_id}*"))
        assert own_file(journal).path.exists()
        os.kill(child.pid, signal.SIGCONT)


async def test_adopted_entries_survive_a_kill_of_the_process_that_adopted_them(
    folder: Path,
) -> None:
    journal = await open_journal(folder)
    dead = await file_of_killed_process(folder, "a", "b")
    await journal.append(entry("c"))
    await journal.adopt_dead_files()
    await kill(journal)
    async with running(folder) as next_process:
        assert sorted(names(next_process)) == ["a", "b", "c"]
        assert owners(next_process) == {journal.owner_id, dead.stem}


async def test_an_adopted_entry_is_removed_like_any_other(folder: Path) -> None:
    journal = await open_journal(folder)
    await file_of_killed_process(folder, "a")
    recovered = await journal.adopt_dead_files()
    for entry_id in recovered.records():
        await journal.remove(entry_id)
    await journal.close()
    assert files_in(folder) == []


async def test_two_running_processes_adopt_a_file_once(folder: Path) -> None:
    async with running(folder) as first, running(folder) as second:
        await file_of_killed_process(folder, "a")
        adopted = await asyncio.gather(first.adopt_dead_files(), second.adopt_dead_files())
        assert sorted(map(adopted_names, adopted)) == [[], ["a"]]


async def test_responses_are_journaled_during_an_adoption(folder: Path) -> None:
    async with running(folder) as journal:
        await file_of_killed_process(folder, *map(str, range(50)))
        adopting = asyncio.create_task(journal.adopt_dead_files())
        for number in range(20):
            async with journal.reserve():
                await journal.append(entry(f"own {number}"))
        assert len((await adopting).entries) == 50
        assert len(await entries_on_disk(journal)) == 71


async def test_on_a_full_disk_entries_are_adopted_and_their_file_stays_until_there_is_space(
    folder: Path,
) -> None:
    async with running(folder) as journal:
        dead = await file_of_killed_process(folder, "a")
        with files_up_to(0):
            assert adopted_names(await journal.adopt_dead_files()) == ["a"]
            assert await journal.adopt_dead_files() == Recovered()
        assert (dead.exists(), journal.orphan_count) == (True, 1)
        assert journal.write_error
        assert await journal.adopt_dead_files() == Recovered()
        assert (dead.exists(), journal.orphan_count) == (False, 0)
        assert len(await entries_on_disk(journal)) == 2


async def test_entries_survive_if_the_starting_process_dies_before_it_has_copied_them(
    folder: Path,
) -> None:
    await file_of_killed_process(folder, "a")
    with files_up_to(0):
        journal = await open_journal(folder)
    await kill(journal)
    async with running(folder) as next_process:
        assert names(next_process) == ["a"]


async def test_entries_survive_if_the_adopting_process_dies_before_it_has_copied_them(
    folder: Path,
) -> None:
    journal = await open_journal(folder)
    await file_of_killed_process(folder, "a")
    with files_up_to(0):
        await journal.adopt_dead_files()
    await kill(journal)
    async with running(folder) as next_process:
        assert names(next_process) == ["a"]


async def test_a_damaged_file_stays_and_counts_as_an_orphan_until_the_operator_removes_it(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(folder) as journal:
        path = await file_of_stopped_process(folder, "a", "torn", "b")
        damage(path, b'"torn"', b'"t\0rn"')
        with caplog.at_level(logging.WARNING):
            assert adopted_names(await journal.adopt_dead_files()) == ["a", "b"]
            assert await journal.adopt_dead_files() == Recovered()
        assert caplog.text.count("damaged journal file not removed") == 1
        assert (path.exists(), journal.orphan_count) == (True, 1)
        path.unlink()
        await journal.adopt_dead_files()
        assert journal.orphan_count == 0


async def test_a_file_that_is_not_sqlite_counts_as_an_orphan_and_is_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(folder) as journal:
        path = folder / f"{'0' * 32}.db"
        path.write_text("not a database, and longer than the header of a database " * 10)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert await journal.adopt_dead_files() == Recovered()
        assert caplog.text.count("journal file skipped") == 1
        assert (path.exists(), journal.orphan_count) == (True, 1)


async def test_a_closed_journal_adopts_nothing(folder: Path) -> None:
    journal = await open_journal(folder)
    await journal.close()
    await file_of_killed_process(folder, "a")
    with pytest.raises(JournalUnwritable):
        await journal.adopt_dead_files()
    assert files_in(folder) != []
