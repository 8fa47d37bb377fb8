"""Each process has a file of its own, and recovers only those of dead processes."""

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

from connector.journal.files import create

from .helpers import (
    entry,
    files_in,
    kill,
    killed_with,
    names,
    opened,
    own_file,
    owners,
    remove_all_recovered,
    running,
)

CHILD = """
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

CROWD = """
import asyncio, sys
from pathlib import Path
from connector.journal import Entry, Journal

async def main(folder):
    for _ in range(40):
        journal = Journal(Path(folder))
        await journal.open()
        assert not journal.recovered_owners(), "the file of a running process was recovered"
        async with journal.reserve():
            await journal.remove(await journal.append(Entry("refresh", {})))
        assert any(Path(folder).glob(f"{journal.owner_id}*.db")), "it was removed under us"
        await journal.close()

asyncio.run(main(*sys.argv[1:]))
"""


LOOKING = """
import sys
from pathlib import Path
from connector.journal.files import JournalFiles

files = JournalFiles(Path(sys.argv[1]), "f" * 32, dict)
print("looking", flush=True)
while True:
    assert not files.recover()
"""


@asynccontextmanager
async def a_process_that_looks_for_dead_ones(folder: Path) -> AsyncIterator[None]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOOKING, folder, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    try:
        assert await child.stdout.readline() == b"looking\n"
        yield
        assert child.returncode is None
    finally:
        child.kill()
        await child.wait()


@asynccontextmanager
async def another_process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, folder, stdin=pipe, stdout=pipe
    )
    assert child.stdout
    try:
        yield child, (await child.stdout.readline()).decode().strip()
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_each_process_has_a_file_named_after_its_owner_id(folder: Path) -> None:
    async with running(folder) as first, running(folder) as second, running(folder) as third:
        journals = (first, second, third)
        await asyncio.gather(*(journal.append(entry("a")) for journal in journals))
        databases = [name for name in files_in(folder) if name.endswith(".db")]
        assert databases == sorted(f"{journal.owner_id}.db" for journal in journals)


async def test_an_entry_of_a_running_process_is_never_recovered(folder: Path) -> None:
    async with running(folder) as first:
        await first.append(entry("a"))
        async with running(folder) as second:
            assert second.recovered_entries() == []
        await first.append(entry("b"))
        assert own_file(first).path.exists()


async def test_a_stopped_process_keeps_its_file_and_a_killed_one_does_not(folder: Path) -> None:
    async with another_process(folder) as (child, owner_id):
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


async def test_a_file_is_recovered_by_another_process_after_sigkill(folder: Path) -> None:
    async with another_process(folder) as (child, owner_id):
        child.kill()
        await child.wait()
        async with running(folder) as journal:
            assert (names(journal), owners(journal)) == (["child"], {owner_id})


async def test_a_dead_process_leaves_its_entries_to_the_next_one_that_starts(folder: Path) -> None:
    first, second, third = [await opened(folder) for _ in range(3)]
    await third.append(entry("c"))
    await second.append(entry("b"))
    await first.append(entry("a"))
    await kill(third)
    await kill(first)
    async with running(folder) as fourth:
        assert sorted(names(fourth)) == ["a", "c"]
        assert not list(folder.glob(f"{third.owner_id}*"))
        async with running(folder) as fifth:
            assert fifth.recovered_entries() == []
    await kill(second)
    async with running(folder) as last:
        assert sorted(names(last)) == ["a", "b", "c"]


async def test_recovered_entries_survive_another_crash(folder: Path) -> None:
    first, second = await opened(folder), await opened(folder)
    await second.append(entry("b"))
    await kill(second)
    await kill(first)
    await kill(await opened(folder))
    async with running(folder) as third:
        assert names(third) == ["b"]


async def test_a_crash_between_copying_and_removing_a_dead_processes_file_loses_nothing(
    folder: Path, tmp_path: Path
) -> None:
    """The entries are there twice then, under different ids."""
    path = await killed_with(folder, *"ab")
    shutil.copytree(folder, tmp_path / "copy")
    second = await opened(folder)
    await kill(second)
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    third = await opened(folder)
    assert names(third) == ["a", "b", "a", "b"]
    assert owners(third) == {path.stem, second.owner_id}
    entry_ids = {entry.entry_id for entry in third.recovered_entries()}
    assert len(entry_ids | {owner.entry_id for owner in third.recovered_owners()}) == 7
    await remove_all_recovered(third)
    await third.close()
    assert files_in(folder) == []


async def test_processes_that_start_at_once_share_neither_a_file_nor_an_entry(
    folder: Path,
) -> None:
    before = [await opened(folder) for _ in range(6)]
    for number, journal in enumerate(before):
        await journal.append(entry(str(number)))
    for journal in before:
        await kill(journal)
    after = await asyncio.gather(*(opened(folder) for _ in range(10)))
    assert sorted(name for journal in after for name in names(journal)) == list("012345")
    assert len({own_file(journal).path for journal in after}) == 10
    for journal in after:
        await journal.close()


async def test_a_process_that_looks_for_dead_ones_takes_nothing_from_one_that_starts(
    folder: Path,
) -> None:
    """A new file is unlocked for a moment, and the other may be the first to lock it."""
    crowd = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CROWD, folder, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in crowd:
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    assert files_in(folder) == []


async def test_a_new_file_that_another_process_locked_first_is_given_up(folder: Path) -> None:
    folder.mkdir()
    given_up = 0
    async with a_process_that_looks_for_dead_ones(folder):
        for number in range(10_000):
            path = folder / f"{number:032x}.db"
            if (file := create(path)) is None:
                given_up += 1
            else:
                assert path.exists()
                file.remove()
            if given_up == 5:
                break
    assert given_up == 5


async def test_a_file_that_was_moved_away_is_replaced_by_one_with_all_entries(
    folder: Path, tmp_path: Path
) -> None:
    journal = await opened(folder)
    entry_id = await journal.append(entry("a"))
    own_file(journal).path.rename(tmp_path / "elsewhere")
    async with journal.reserve():
        await journal.append(entry("b"))
    await journal.remove(entry_id)
    await kill(journal)
    async with running(folder) as after:
        assert (names(after), owners(after)) == (["b"], {journal.owner_id})


async def test_a_folder_that_was_removed_is_created_again_with_all_entries(folder: Path) -> None:
    journal = await opened(folder)
    await journal.append(entry("a"))
    shutil.rmtree(folder)
    await journal.append(entry("b"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b"]
