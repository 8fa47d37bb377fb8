"""A disk that rejects writes is detected before a response of TikTok must be stored."""

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
from .helpers import entry, file_of_killed_process, kill, names, open_journal, own_file, running

UNPRIVILEGED_USER_ID = 65534


async def test_a_reservation_is_refused_while_the_disk_rejects_writes_and_granted_afterwards(
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


async def test_each_reservation_is_refused_until_the_disk_accepts_a_write(
    folder: Path,
) -> None:
    """This holds also if the file is empty, so that each write has the same content."""
    async with running(folder) as journal:
        for _ in range(3):
            async with journal.reserve():
                pass
            with files_up_to(0), pytest.raises(JournalUnwritable):
                async with journal.reserve():
                    raise AssertionError("the disk was not tried")


async def test_an_acknowledged_entry_survives_a_later_commit_that_fails(
    folder: Path,
) -> None:
    journal = await open_journal(folder)
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


async def test_a_removal_that_the_disk_rejected_is_repeated(folder: Path) -> None:
    journal = await open_journal(folder)
    entry_id = await journal.append(entry("a"))
    with files_up_to(0):
        await journal.remove(entry_id)
        with pytest.raises(JournalUnwritable):
            await journal.append(entry("b"))
    await journal.append(entry("c"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["c"]


async def test_a_disk_that_is_full_at_the_start_prevents_new_entries_but_not_the_recovery(
    folder: Path,
) -> None:
    await file_of_killed_process(folder, *"abc")
    with files_up_to(0):
        journal = await open_journal(folder)
        assert names(journal) == ["a", "b", "c"]
        assert journal.write_error
        with pytest.raises(JournalUnwritable):
            await journal.append(entry("d"))
        for recovered in journal.recovered.entries:
            if recovered.entry.fields["id"] != "c":
                await journal.remove(recovered.entry_id)
    async with journal.reserve():
        await journal.append(entry("e"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["c", "e"]


async def test_entries_recovered_on_a_full_disk_are_recovered_again_by_the_next_process(
    folder: Path,
) -> None:
    """The dead process's file is the only copy until this process's file has the entries."""
    await file_of_killed_process(folder, *"abc")
    for _ in range(2):
        with files_up_to(0):
            journal = await open_journal(folder)
        await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b", "c"]


async def test_a_clean_stop_on_a_full_disk_removes_no_recovered_entry(folder: Path) -> None:
    """The dead process's file is the only copy."""
    await file_of_killed_process(folder, *"abc")
    with files_up_to(0):
        async with running(folder) as journal:
            assert names(journal) == ["a", "b", "c"]
    async with running(folder) as after:
        assert names(after) == ["a", "b", "c"]


async def test_a_disk_that_rejects_writes_is_logged_once_and_its_recovery_is_logged_once(
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


async def test_a_start_on_a_full_disk_loses_no_journal_entry() -> None:
    with mounted("size=16m") as disk:
        folder = disk / "connector.journal"
        await file_of_killed_process(folder, *"abc")
        with filled(disk):
            journal = await open_journal(folder)
            assert names(journal) == ["a", "b", "c"]
            with pytest.raises(JournalUnwritable, match="No space left on device"):
                async with journal.reserve():
                    raise AssertionError("there is no space")
        async with journal.reserve():
            await journal.append(entry("d"))
        await kill(journal)
        async with running(folder) as after:
            assert names(after) == ["a", "b", "c", "d"]


async def test_a_read_only_disk_is_reported_when_the_journal_opens() -> None:
    with mounted("ro") as disk, pytest.raises(JournalUnwritable, match="Read-only file system"):
        await Journal(disk / "connector.journal").open()


async def test_a_journal_folder_without_permission_is_reported_when_the_journal_opens() -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(UNPRIVILEGED_USER_ID)
        with pytest.raises(JournalUnwritable, match=f"Permission denied .{directory}"):
            await Journal(directory / "connector.journal").open()
        with pytest.raises(JournalUnwritable, match=f"Permission denied .{directory}"):
            await Journal(directory).open()
    finally:
        os.seteuid(before)
        shutil.rmtree(directory)


async def test_a_missing_parent_of_the_journals_parent_folder_is_named_in_the_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(JournalUnwritable, match=r"No such file or directory \(.*missing/too\)"):
        await Journal(tmp_path / "missing" / "too" / "connector.journal").open()


async def test_a_file_in_place_of_the_journal_folder_is_named_in_the_error_and_not_changed(
    folder: Path,
) -> None:
    folder.write_text("connector journal 1\n")
    with pytest.raises(JournalUnwritable, match=f"is a file, but must be a folder.*{folder}"):
        await Journal(folder).open()
    assert folder.read_text() == "connector journal 1\n"


async def test_a_device_in_place_of_the_journal_folder_is_named_in_the_error() -> None:
    with pytest.raises(JournalUnwritable, match=r"/dev/full cannot be written"):
        await Journal(Path("/dev/full")).open()


async def test_a_closed_journal_raises_not_open(folder: Path) -> None:
    async with running(folder) as journal:
        pass
    with pytest.raises(JournalUnwritable, match="not open"):
        await journal.append(entry("a"))
    with pytest.raises(JournalUnwritable, match="not open"):
        async with journal.reserve():
            pass


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous", 2),
        ("journal_mode", b"wal"),
        ("locking_mode", b"exclusive"),
        ("temp_store", 2),
    ],
)
async def test_every_journal_commit_is_synced_and_the_file_stays_locked(
    folder: Path, setting: str, value: object
) -> None:
    async with running(folder) as journal:
        read = lambda: own_file(journal).database.execute(f"pragma {setting}").fetchone()  # noqa: E731
        assert await journal._in_thread(read) == (value,)
