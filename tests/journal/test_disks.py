"""A disk that refuses is noticed before a response depends on it."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Journal

from .disks import files_up_to, filled, mounted
from .helpers import entry, kill, killed_with, names, opened, running

NOBODY = 65534


async def test_a_reservation_is_refused_while_the_disk_takes_no_write_and_granted_afterwards(
    folder: Path,
) -> None:
    async with running(folder) as journal:
        with files_up_to(0):
            with pytest.raises(JournalUnwritable) as caught:
                async with journal.reserve():
                    raise AssertionError("the disk was not tried")
            assert f"{folder} cannot be written: disk I/O error" in caught.value.detail
            assert caught.value.retryable
            assert caught.value.retry_after
            assert journal.write_error
        async with journal.reserve():
            await journal.remove(await journal.append(entry("a")))
        assert journal.write_error is None


async def test_a_reservation_is_refused_each_time_until_the_disk_takes_a_write(
    folder: Path,
) -> None:
    """Also if nothing else is in the file, so that the same thing is written again and again."""
    async with running(folder) as journal:
        for _ in range(3):
            async with journal.reserve():
                pass
            with files_up_to(0), pytest.raises(JournalUnwritable):
                async with journal.reserve():
                    raise AssertionError("the disk was not tried")


async def test_an_entry_that_was_acknowledged_stays_when_a_later_commit_fails(
    folder: Path,
) -> None:
    journal = await opened(folder)
    await journal.append(entry("a"))
    with files_up_to(0):
        for _ in range(3):
            with pytest.raises(JournalUnwritable):
                await journal.append(entry("lost"))
    await journal.append(entry("b"))
    assert journal.entry_count == 2
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b"]


async def test_a_removal_that_the_disk_refused_is_made_up_for(folder: Path) -> None:
    journal = await opened(folder)
    entry_id = await journal.append(entry("a"))
    with files_up_to(0):
        await journal.remove(entry_id)
        with pytest.raises(JournalUnwritable):
            await journal.append(entry("b"))
    await journal.append(entry("c"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["c"]


async def test_a_disk_that_is_full_at_the_start_stops_new_responses_but_not_the_recovery(
    folder: Path,
) -> None:
    await killed_with(folder, *"abc")
    with files_up_to(0):
        journal = await opened(folder)
        assert names(journal) == ["a", "b", "c"]
        assert journal.write_error
        with pytest.raises(JournalUnwritable):
            await journal.append(entry("d"))
        for recovered in journal.recovered_entries():
            if recovered.entry.fields["id"] != "c":
                await journal.remove(recovered.entry_id)
    async with journal.reserve():
        await journal.append(entry("e"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["c", "e"]


async def test_entries_recovered_on_a_full_disk_are_there_for_the_next_process(
    folder: Path,
) -> None:
    """The file of the dead process is all there is until our own has its entries."""
    await killed_with(folder, *"abc")
    for _ in range(2):
        with files_up_to(0):
            journal = await opened(folder)
        await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b", "c"]


async def test_the_operator_is_told_once_that_the_disk_refuses_and_once_that_it_works_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(folder) as journal:
        with caplog.at_level(logging.INFO, "connector.journal"):
            with files_up_to(0):
                for _ in range(3):
                    with pytest.raises(JournalUnwritable):
                        await journal.append(entry("a"))
            await journal.remove(await journal.append(entry("b")))
    assert [record.message.split(" path=")[0] for record in caplog.records] == [
        "journal unwritable",
        "journal writable again",
    ]


async def test_a_start_on_a_disk_that_is_really_full_loses_nothing() -> None:
    with mounted("size=16m") as disk:
        folder = disk / "connector.journal"
        await killed_with(folder, *"abc")
        with filled(disk):
            journal = await opened(folder)
            assert names(journal) == ["a", "b", "c"]
            with pytest.raises(JournalUnwritable, match="No space left on device"):
                async with journal.reserve():
                    raise AssertionError("there is no space")
        async with journal.reserve():
            await journal.append(entry("d"))
        await kill(journal)
        async with running(folder) as after:
            assert names(after) == ["a", "b", "c", "d"]


async def test_a_read_only_disk_is_named_at_once() -> None:
    with mounted("ro") as disk, pytest.raises(JournalUnwritable, match="Read-only file system"):
        await Journal(disk / "connector.journal").open()


async def test_a_folder_that_may_not_be_created_is_named_at_once() -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(NOBODY)
        with pytest.raises(JournalUnwritable, match=f"Permission denied .{directory}"):
            await Journal(directory / "connector.journal").open()
        with pytest.raises(JournalUnwritable, match=f"Permission denied .{directory}"):
            await Journal(directory).open()
    finally:
        os.seteuid(before)
        shutil.rmtree(directory)


async def test_a_missing_folder_above_the_last_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match=r"No such file or directory \(.*missing/too\)"):
        await Journal(tmp_path / "missing" / "too" / "connector.journal").open()


async def test_a_file_in_place_of_the_folder_is_named_and_left_alone(folder: Path) -> None:
    folder.write_text("connector journal 1\n")
    with pytest.raises(JournalUnwritable, match=f"is a file, but must be a folder.*{folder}"):
        await Journal(folder).open()
    assert folder.read_text() == "connector journal 1\n"


async def test_a_device_in_place_of_the_folder_is_named() -> None:
    with pytest.raises(JournalUnwritable, match=r"/dev/full cannot be written"):
        await Journal(Path("/dev/full")).open()


async def test_a_journal_that_is_closed_says_so(folder: Path) -> None:
    async with running(folder) as journal:
        pass
    with pytest.raises(JournalUnwritable, match="not open"):
        await journal.append(entry("a"))
    with pytest.raises(JournalUnwritable, match="not open"):
        async with journal.reserve():
            pass
