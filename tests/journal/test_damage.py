"""Every readable entry is recovered, and a file with an unreadable entry is not removed."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from connector.journal import Recovered
from connector.journal.dead_files import NAME
from connector.journal.files import PAGE_SIZE

from .helpers import (
    damage,
    entry,
    file_of_killed_process,
    file_of_stopped_process,
    files_in,
    kill,
    names,
    open_journal,
    own_file,
    recover_entries,
    running,
)

FOREIGN_FILE = f"{'0' * 32}.db"


async def test_a_file_that_is_not_sqlite_is_skipped_with_a_warning_and_not_changed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    (folder / FOREIGN_FILE).write_text("SUPABASE_URL=https://example.supabase.co\n")
    async with running(folder) as journal:
        assert journal.recovered == Recovered()
        await journal.remove(await journal.append(entry("a")))
    assert (folder / FOREIGN_FILE).read_text() == "SUPABASE_URL=https://example.supabase.co\n"
    assert f"journal file skipped path={folder / FOREIGN_FILE}" in caplog.text


async def test_a_database_that_is_no_journal_is_skipped_with_a_warning_and_not_changed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / FOREIGN_FILE) as database:
        database.execute("create table user_accounts (id text)")
    database.close()
    before = (folder / FOREIGN_FILE).read_bytes()
    async with running(folder) as journal:
        assert journal.recovered.entries == ()
    assert (folder / FOREIGN_FILE).read_bytes() == before
    assert f"path={folder / FOREIGN_FILE}" in caplog.text


@pytest.mark.parametrize("name", ["connector.db", "notes.txt", f"copy of {FOREIGN_FILE}"])
async def test_a_file_in_the_journal_folder_with_another_name_is_never_opened(
    folder: Path, name: str
) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / name) as database:
        database.execute("create table entries (id integer primary key, record text)")
    database.close()
    before = (folder / name).read_bytes()
    async with running(folder) as journal:
        assert journal.recovered == Recovered()
    assert (folder / name).read_bytes() == before


async def test_a_folder_with_the_name_of_a_journal_file_is_skipped_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / FOREIGN_FILE).mkdir(parents=True)
    async with running(folder) as journal:
        assert journal.recovered.entries == ()
    assert "journal file skipped" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\0" * 512])
async def test_an_incomplete_file_of_a_process_killed_while_it_created_the_file_is_removed(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    (folder / FOREIGN_FILE).touch()
    (folder / f"{FOREIGN_FILE}-journal").write_bytes(content)
    async with running(folder) as journal:
        assert journal.recovered == Recovered()
    assert files_in(folder) == []
    assert caplog.text == ""


async def test_a_damaged_journal_entry_does_not_affect_other_entries_and_its_file_is_not_removed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = await file_of_stopped_process(folder, *"abc")
    damage(path, b'"id":"b"', b'"id":"x"')
    with caplog.at_level(logging.WARNING, "connector.journal"):
        journal = await open_journal(folder)
    assert names(journal) == ["a", "c"]
    assert f"damaged journal file not removed path={path}" in caplog.text
    assert "sss" not in caplog.text
    assert path.exists()
    await journal.append(entry("d"))
    await journal.close()
    path.unlink()
    async with running(folder) as after:
        assert names(after) == ["a", "c", "d"]


async def test_an_entry_with_invalid_utf_8_does_not_affect_other_entries(folder: Path) -> None:
    path = await file_of_stopped_process(folder, *"abc")
    damage(path, b'"id":"b"', b'"id":"\xff"')
    assert [entry.fields["id"] for entry in recover_entries(folder)] == ["a", "c"]


async def test_a_damaged_byte_anywhere_adds_no_wrong_entry_and_removes_no_file(
    folder: Path,
) -> None:
    path = await file_of_stopped_process(folder, *"abcd")
    whole, written_entries = path.read_bytes(), recover_entries(folder)
    used = [place for place in range(len(whole)) if whole[place]]
    for place in [*range(100), *used[100::23]]:
        for flipped in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flipped]) + whole[place + 1 :])
            found = recover_entries(folder)
            assert all(entry in written_entries for entry in found)
            assert path.exists()


async def test_a_truncated_file_adds_no_wrong_entry_and_is_not_removed(folder: Path) -> None:
    path = await file_of_stopped_process(folder, *map(str, range(20)))
    whole, written_entries = path.read_bytes(), recover_entries(folder)
    for cut in [*range(1, 3 * PAGE_SIZE, 511), *range(3 * PAGE_SIZE, len(whole), 99_999)]:
        path.write_bytes(whole[:cut])
        assert all(entry in written_entries for entry in recover_entries(folder))
        assert path.exists()


async def test_a_truncated_wal_contains_every_commit_before_the_cut(
    folder: Path, tmp_path: Path
) -> None:
    """A crash in the middle of a commit leaves such a WAL."""
    path = await file_of_killed_process(folder, *map(str, range(8)))
    shutil.copytree(folder, tmp_path / "whole")
    wal = (tmp_path / "whole" / f"{path.name}-wal").read_bytes()
    counts = []
    for cut in range(0, 32 + 20 * (PAGE_SIZE + 24), 1000):
        shutil.copytree(tmp_path / "whole", folder, dirs_exist_ok=True)
        (folder / f"{path.name}-wal").write_bytes(wal[:cut])
        found = [entry.fields["id"] for entry in recover_entries(folder)]
        assert found == [str(number) for number in range(len(found))]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 8)


async def test_a_torn_commit_at_the_end_of_the_wal_does_not_affect_earlier_commits(
    folder: Path,
) -> None:
    path = await file_of_killed_process(folder, *"abc")
    damage(Path(f"{path}-wal"), b'"id":"c"', b'"id":"x"')
    async with running(folder) as journal:
        assert names(journal) == ["a", "b"]
        await journal.append(entry("d"))
    async with running(folder) as after:
        assert names(after) == ["a", "b", "d"]


def test_only_files_named_after_an_owner_id_belong_to_the_journal() -> None:
    assert NAME.fullmatch(FOREIGN_FILE)
    assert NAME.fullmatch(f"{'0' * 32}-12.db")
    for name in ("connector.db", f"{FOREIGN_FILE}-wal", f"{'0' * 31}.db", f"{'0' * 32}-x.db"):
        assert not NAME.fullmatch(name)


async def test_a_file_that_is_damaged_while_in_use_is_replaced_by_a_file_with_all_entries(
    folder: Path,
) -> None:
    """SQLite's error message quotes the damaged name, which is not valid UTF-8."""
    journal = await open_journal(folder)
    await journal.append(entry("a"))
    execute = own_file(journal).database.execute
    for statement in (
        "pragma writable_schema = on",
        "update sqlite_master set name = cast(x'ff' as text), sql = 'create nothing' where type = 'view'",
        "pragma writable_schema = reset",  # reads the schema again with the next statement
    ):
        await journal._in_thread(partial(execute, statement))
    with pytest.raises(UnicodeDecodeError):
        await journal._in_thread(partial(execute, "select * from entries"))
    async with asyncio.timeout(5):
        await journal.append(entry("b"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a", "b"]
