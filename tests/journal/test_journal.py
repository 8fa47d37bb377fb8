"""An entry that was not removed is recovered after a restart, and the file stays small."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connector.journal import Entry
from connector.journal.files import SLOT_BYTES
from connector.journal.journal import INITIAL_RESERVATIONS

from .helpers import entry, files_in, kill, names, open_journal, own_file, rows, running


@pytest.fixture
def empty_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


async def test_a_journal_entry_survives_a_kill(folder: Path) -> None:
    journal = await open_journal(folder)
    async with journal.reserve():
        await journal.append(entry("a"))
    await kill(journal)
    async with running(folder) as after:
        assert [recovered.entry for recovered in after.recovered.entries] == [entry("a")]


async def test_a_removed_journal_entry_is_not_recovered(folder: Path) -> None:
    journal = await open_journal(folder)
    entry_ids = [await journal.append(entry(name)) for name in "abc"]
    await journal.remove(entry_ids[1])
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "c"]


async def test_a_removal_is_written_to_the_disk_although_no_further_entry_is_appended(
    folder: Path,
) -> None:
    async with running(folder) as journal:
        entry_id = await journal.append(entry("a"))
        assert list(await rows(journal)) == [entry_id]
        await journal.remove(entry_id)
        while await rows(journal):  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.001)


async def test_a_removal_requested_during_a_slow_commit_is_written_to_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.journal.journal.MAX_REMOVAL_DELAY", 0)
    disk = threading.Event()
    async with running(folder) as journal:
        entry_id = await journal.append(entry("a"))
        journal._thread.submit(disk.wait)
        appending = asyncio.create_task(journal.append(entry("b")))
        for _ in range(3):  # until the commit has started
            await asyncio.sleep(0)
        await journal.remove(entry_id)
        await asyncio.sleep(0)  # until the removal is due
        disk.set()
        await appending
        while journal._writer:
            await journal._writer
        assert entry_id not in await rows(journal)


async def test_a_marker_is_in_the_journal_while_its_reservation_lasts(folder: Path) -> None:
    journal = await open_journal(folder)
    async with journal.reserve(entry("over")):
        pass
    async with journal.reserve(entry("marker")):
        await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["marker"]


async def test_a_marker_is_not_counted_as_a_journal_entry(folder: Path) -> None:
    async with running(folder) as journal, journal.reserve(entry("marker")):
        assert journal.entry_count == 0
        entry_id = await journal.append(entry("a"))
        assert journal.entry_count == 1
        await journal.remove(entry_id)
        assert journal.entry_count == 0


async def test_a_reservation_that_is_cancelled_before_it_is_granted_leaves_no_marker(
    folder: Path,
) -> None:
    async with running(folder) as journal:

        async def enter() -> None:
            async with journal.reserve(entry("marker")):
                raise AssertionError("the reservation was not waited for")

        for turns in range(6):
            entering = asyncio.create_task(enter())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
        await journal.append(entry("a"))
        while len(await rows(journal)) > 1:  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.001)
        assert journal._reservations._value == INITIAL_RESERVATIONS


async def test_a_recovered_journal_entry_can_be_removed(folder: Path) -> None:
    journal = await open_journal(folder)
    for name in "abc":
        await journal.append(entry(name))
    await kill(journal)
    second = await open_journal(folder)
    assert second.entry_count == 3
    for recovered in second.recovered.entries:
        if recovered.entry.fields["id"] != "b":
            await second.remove(recovered.entry_id)
    assert second.entry_count == 1
    await second.append(entry("d"))
    await kill(second)
    async with running(folder) as third:
        assert names(third) == ["b", "d"]


async def test_a_journal_entry_that_is_not_removed_is_recovered_after_every_restart(
    folder: Path,
) -> None:
    for start in range(5):
        journal = await open_journal(folder)
        assert names(journal) == [str(earlier) for earlier in range(start)]
        await journal.append(entry(str(start)))
        await kill(journal)


async def test_removing_a_journal_entry_again_removes_no_other_entry(folder: Path) -> None:
    async with running(folder) as journal:
        first = await journal.append(entry("a"))
        await journal.append(entry("b"))
        for _ in range(3):
            await journal.remove(first)
            assert journal.entry_count == 1
        await journal.append(entry("c"))
        await journal.remove(first)
        assert journal.entry_count == 2
    async with running(folder) as after:
        assert names(after) == ["b", "c"]


async def test_a_clean_stop_with_an_empty_journal_leaves_no_file(folder: Path) -> None:
    async with running(folder) as journal:
        await journal.remove(await journal.append(entry("a")))
        database = f"{journal.owner_id}.db"
        assert files_in(folder) == [database, f"{database}-wal"]
    assert files_in(folder) == []


async def test_a_clean_stop_does_not_remove_a_journal_entry_and_leaves_no_wal(folder: Path) -> None:
    async with running(folder) as journal:
        removed = await journal.append(entry("a"))
        await journal.append(entry("b"))
        await journal.remove(removed)
    assert files_in(folder) == [f"{journal.owner_id}.db"]
    async with running(folder) as after:
        assert names(after) == ["b"]


async def test_only_the_owner_can_access_the_journal_folder_and_files_with_any_umask(
    folder: Path, empty_umask: None
) -> None:
    async with running(folder):
        modes = [path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())]
        assert modes == [0o700, 0o600, 0o600]


async def test_the_journal_folder_and_its_parent_folder_are_created(tmp_path: Path) -> None:
    async with running(tmp_path / "var" / "connector.journal") as journal:
        assert journal.path.is_dir()


async def test_the_mode_of_an_existing_journal_folder_is_not_changed(folder: Path) -> None:
    folder.mkdir(0o750)
    async with running(folder):
        assert folder.stat().st_mode & 0o777 == 0o750


async def test_concurrent_appends_share_a_commit(folder: Path) -> None:
    async with running(folder) as journal:
        before = own_file(journal).commits
        await asyncio.gather(*(journal.append(entry(str(number))) for number in range(1000)))
        assert own_file(journal).commits - before <= 2


async def test_an_append_is_written_although_its_caller_is_cancelled(folder: Path) -> None:
    journal = await open_journal(folder)
    appending = asyncio.create_task(journal.append(entry("a")))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a"]


async def test_a_clean_stop_waits_for_an_append_whose_caller_was_cancelled(folder: Path) -> None:
    async with running(folder) as journal:
        appending = asyncio.create_task(journal.append(entry("a")))
        await asyncio.sleep(0)
        appending.cancel()
    async with running(folder) as after:
        assert names(after) == ["a"]


async def test_a_cancelled_reservation_does_not_affect_other_reservations(folder: Path) -> None:
    async with running(folder) as journal, AsyncExitStack() as reservations:
        waiting = asyncio.create_task(reservations.enter_async_context(journal.reserve()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with journal.reserve():
            await journal.remove(await journal.append(entry("a")))


async def test_an_entry_larger_than_its_reservation_is_written(folder: Path) -> None:
    large = [entry("a", size=10 * SLOT_BYTES), entry("b", size=4 * 1024 * 1024)]
    journal = await open_journal(folder)
    async with journal.reserve():
        await journal.append(large[0])
    await journal.append(large[1])
    async with journal.reserve():
        await journal.append(entry("c"))
    await kill(journal)
    async with running(folder) as after:
        recovered = [recovered.entry for recovered in after.recovered.entries]
        assert recovered == [*large, entry("c")]


async def test_any_json_in_a_journal_entry_is_recovered_unchanged(folder: Path) -> None:
    odd = Entry(
        'é\n"\ud800',
        {"id": 'é\n\0"\ud800\x7f', "of": [1, None, 1e22, -0.0, {"": 7533163835474346001}]},
    )
    journal = await open_journal(folder)
    await journal.append(odd)
    await kill(journal)
    async with running(folder) as after:
        assert [recovered.entry for recovered in after.recovered.entries] == [odd]


async def test_a_number_that_json_cannot_represent_is_refused_and_does_not_affect_other_entries(
    folder: Path,
) -> None:
    async with running(folder) as journal:
        valid = asyncio.create_task(journal.append(entry("a")))
        with pytest.raises(ValueError, match="not JSON compliant"):
            await journal.append(Entry("refresh", {"age": float("nan")}))
        await journal.remove(await valid)


async def test_the_journal_file_does_not_grow_while_one_entry_stays(folder: Path) -> None:
    journal = await open_journal(folder)
    await journal.append(entry("oldest"))
    async with AsyncExitStack() as reservations:  # the largest number in this test
        for _ in range(500):
            await reservations.enter_async_context(journal.reserve())
        await asyncio.gather(*(journal.append(entry("x")) for _ in range(500)))
    sizes = [path.stat().st_size for path in sorted(folder.iterdir())]
    for _ in range(40):
        entry_ids = await asyncio.gather(*(journal.append(entry("x")) for _ in range(500)))
        await asyncio.gather(*map(journal.remove, entry_ids))
    assert [path.stat().st_size for path in sorted(folder.iterdir())] == sizes
    await kill(journal)


async def test_the_reserved_space_of_the_journal_has_blocks_on_the_disk(folder: Path) -> None:
    async with running(folder):
        sizes = [path.stat() for path in sorted(folder.iterdir())]
        assert [size.st_size > 512 * 1024 for size in sizes] == [True, True]
        assert all(size.st_blocks * 512 >= size.st_size for size in sizes)
