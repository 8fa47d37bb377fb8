"""Each process has its own file and recovers only the files of dead processes."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from connector.journal.files import create_and_lock

from .helpers import (
    entry,
    file_of_killed_process,
    files_in,
    kill,
    names,
    open_journal,
    own_file,
    owners,
    remove_all_recovered,
    running,
)

CHILD_SCRIPT = """
import asyncio, sys
from pathlib import Path
from connector.journal import Entry, Journal

async def main(folder):
    journal = Journal(Path(folder))
    await journal.open()
    await journal.append(Entry("refresh", {"id": "child"}))
    print(journal.owner_id, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await journal.append(Entry("refresh", {"id": "child again"}))

asyncio.run(main(*sys.argv[1:]))
"""

START_AND_STOP_SCRIPT = """
import asyncio, sys
from pathlib import Path
from connector.journal import Entry, Journal

async def main(folder):
    for _ in range(40):
        journal = Journal(Path(folder))
        await journal.open()
        assert not journal.recovered.owners, "the file of a running process was recovered"
        async with journal.reserve():
            await journal.remove(await journal.append(Entry("refresh", {})))
        assert any(Path(folder).glob(f"{journal.owner_id}*.db")), "the file was removed"
        await journal.close()

asyncio.run(main(*sys.argv[1:]))
"""


RECOVERY_SCRIPT = """
import sys
from pathlib import Path
from connector.journal.dead_files import DeadFiles

print("searching", flush=True)
while True:
    assert not DeadFiles(Path(sys.argv[1])).lock()
"""


@asynccontextmanager
async def process_that_searches_for_dead_processes(folder: Path) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RECOVERY_SCRIPT, folder, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    try:
        assert await child.stdout.readline() == b"searching\n"
        yield
        assert child.returncode is None
    finally:
        child.kill()
        await child.wait()


@asynccontextmanager
async def running_child(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD_SCRIPT, folder, stdin=pipe, stdout=pipe
    )
    assert child.stdout
    try:
        yield child, (await child.stdout.readline()).decode().strip()
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_each_process_has_a_journal_file_named_after_its_owner_id(folder: Path) -> None:
    async with running(folder) as first, running(folder) as second, running(folder) as third:
        journals = (first, second, third)
        await asyncio.gather(*(journal.append(entry("a")) for journal in journals))
        databases = [name for name in files_in(folder) if name.endswith(".db")]
        assert databases == sorted(f"{journal.owner_id}.db" for journal in journals)


async def test_a_journal_entry_of_a_running_process_is_never_recovered(folder: Path) -> None:
    async with running(folder) as first:
        await first.append(entry("a"))
        async with running(folder) as second:
            assert second.recovered.entries == ()
        await first.append(entry("b"))
        assert own_file(first).path.exists()


async def test_the_journal_file_of_a_process_is_recovered_after_its_end_and_not_while_it_is_paused(
    folder: Path,
) -> None:
    async with running_child(folder) as (child, owner_id):
        os.kill(child.pid, signal.SIGSTOP)
        for _ in range(3):
            async with running(folder) as journal:
                assert (names(journal), owners(journal)) == ([], set())
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdin
        child.stdin.close()
        await child.wait()
        async with running(folder) as journal:
            assert (names(journal), owners(journal)) == (["child", "child again"], {owner_id})


async def test_the_journal_file_of_a_process_killed_with_sigkill_is_recovered_by_another_process(
    folder: Path,
) -> None:
    async with running_child(folder) as (child, owner_id):
        child.kill()
        await child.wait()
        async with running(folder) as journal:
            assert (names(journal), owners(journal)) == (["child"], {owner_id})


async def test_the_journal_entries_of_a_dead_process_are_recovered_by_the_next_process_that_starts(
    folder: Path,
) -> None:
    first, second, third = [await open_journal(folder) for _ in range(3)]
    await third.append(entry("c"))
    await second.append(entry("b"))
    await first.append(entry("a"))
    await kill(third)
    await kill(first)
    async with running(folder) as fourth:
        assert sorted(names(fourth)) == ["a", "c"]
        assert not list(folder.glob(f"{third.owner_id}*"))
        async with running(folder) as fifth:
            assert fifth.recovered.entries == ()
    await kill(second)
    async with running(folder) as last:
        assert sorted(names(last)) == ["a", "b", "c"]


async def test_recovered_journal_entries_survive_another_crash(folder: Path) -> None:
    first, second = await open_journal(folder), await open_journal(folder)
    await second.append(entry("b"))
    await kill(second)
    await kill(first)
    await kill(await open_journal(folder))
    async with running(folder) as third:
        assert names(third) == ["b"]


async def test_a_crash_between_copying_and_removing_the_file_of_a_dead_process_loses_no_entry(
    folder: Path, tmp_path: Path
) -> None:
    """Each entry is then recovered twice, with different ids."""
    path = await file_of_killed_process(folder, *"ab")
    shutil.copytree(folder, tmp_path / "copy")
    second = await open_journal(folder)
    await kill(second)
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    third = await open_journal(folder)
    assert names(third) == ["a", "b", "a", "b"]
    assert owners(third) == {path.stem, second.owner_id}
    entry_ids = {entry.entry_id for entry in third.recovered.entries}
    assert len(entry_ids | {owner.entry_id for owner in third.recovered.owners}) == 7
    await remove_all_recovered(third)
    await third.close()
    assert files_in(folder) == []


async def test_processes_that_start_concurrently_share_neither_a_journal_file_nor_an_entry(
    folder: Path,
) -> None:
    before = [await open_journal(folder) for _ in range(6)]
    for number, journal in enumerate(before):
        await journal.append(entry(str(number)))
    for journal in before:
        await kill(journal)
    after = await asyncio.gather(*(open_journal(folder) for _ in range(10)))
    assert sorted(name for journal in after for name in names(journal)) == list("012345")
    assert len({own_file(journal).path for journal in after}) == 10
    for journal in after:
        await journal.close()


async def test_a_process_that_searches_for_dead_processes_does_not_recover_the_file_of_a_starting_process(
    folder: Path,
) -> None:
    """A new file is unlocked for a moment, and the searching process may lock the file first."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", START_AND_STOP_SCRIPT, folder, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in processes:
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    assert files_in(folder) == []


async def test_create_returns_none_if_another_process_locks_the_new_file_first(
    folder: Path,
) -> None:
    folder.mkdir()
    lost_races = 0
    async with process_that_searches_for_dead_processes(folder):
        for number in range(10_000):
            path = folder / f"{number:032x}.db"
            if (file := create_and_lock(path)) is None:
                lost_races += 1
            else:
                assert path.exists()
                file.remove()
            if lost_races == 5:
                break
    assert lost_races == 5


async def test_a_moved_journal_file_is_replaced_by_a_file_with_all_entries(
    folder: Path, tmp_path: Path
) -> None:
    journal = await open_journal(folder)
    entry_id = await journal.append(entry("a"))
    own_file(journal).path.rename(tmp_path / "elsewhere")
    async with journal.reserve():
        await journal.append(entry("b"))
    await journal.remove(entry_id)
    await kill(journal)
    async with running(folder) as after:
        assert (names(after), owners(after)) == (["b"], {journal.owner_id})


async def test_a_removed_journal_folder_is_created_again_with_all_entries(folder: Path) -> None:
    journal = await open_journal(folder)
    await journal.append(entry("a"))
    shutil.rmtree(folder)
    await journal.append(entry("b"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b"]


async def test_entries_of_several_dead_processes_are_recovered_in_the_order_in_which_they_were_written(
    folder: Path, tmp_path: Path
) -> None:
    """The tokens of the second entry may start from the version that the first entry creates."""
    folder.mkdir()
    written = [str(number) for number in range(8)]
    for name in written:
        path = await file_of_killed_process(tmp_path / name, name)
        for part in path.parent.iterdir():
            part.rename(folder / part.name)
    async with running(folder) as journal:
        assert names(journal) == written
