"""What can be read is recovered, and a file that cannot be read completely is left where it is."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path

import pytest

from connector.journal.files import NAME, PAGE_SIZE

from .helpers import (
    damage,
    entry,
    files_in,
    killed_with,
    names,
    opened,
    recovered_in_place,
    running,
    stopped_with,
)

STRANGER = f"{'0' * 32}.db"


async def test_a_file_that_is_not_sqlite_is_skipped_with_a_warning_and_left_alone(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    (folder / STRANGER).write_text("SUPABASE_URL=https://example.supabase.co\n")
    async with running(folder) as journal:
        assert (journal.recovered_entries(), journal.recovered_owners()) == ([], [])
        await journal.remove(await journal.append(entry("a")))
    assert (folder / STRANGER).read_text() == "SUPABASE_URL=https://example.supabase.co\n"
    assert f"journal file skipped path={folder / STRANGER}" in caplog.text


async def test_a_database_that_is_no_journal_is_skipped_with_a_warning_and_left_alone(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / STRANGER) as database:
        database.execute("create table user_accounts (id text)")
    database.close()
    before = (folder / STRANGER).read_bytes()
    async with running(folder) as journal:
        assert journal.recovered_entries() == []
    assert (folder / STRANGER).read_bytes() == before
    assert f"path={folder / STRANGER}" in caplog.text


@pytest.mark.parametrize("name", ["connector.db", "notes.txt", f"copy of {STRANGER}"])
async def test_a_file_with_another_name_is_never_opened(folder: Path, name: str) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / name) as database:
        database.execute("create table entries (id integer primary key, record text)")
    database.close()
    before = (folder / name).read_bytes()
    async with running(folder) as journal:
        assert (journal.recovered_entries(), journal.recovered_owners()) == ([], [])
    assert (folder / name).read_bytes() == before


async def test_a_folder_with_the_name_of_a_file_is_skipped_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / STRANGER).mkdir(parents=True)
    async with running(folder) as journal:
        assert journal.recovered_entries() == []
    assert "journal file skipped" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\0" * 512])
async def test_the_remains_of_a_process_that_was_killed_while_it_created_its_file_are_removed(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    (folder / STRANGER).touch()
    (folder / f"{STRANGER}-journal").write_bytes(content)
    async with running(folder) as journal:
        assert (journal.recovered_entries(), journal.recovered_owners()) == ([], [])
    assert files_in(folder) == []
    assert caplog.text == ""


async def test_a_damaged_entry_costs_no_other_and_its_file_is_left_where_it_is(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = await stopped_with(folder, *"abc")
    damage(path, b'"id":"b"', b'"id":"x"')
    with caplog.at_level(logging.WARNING, "connector.journal"):
        journal = await opened(folder)
    assert names(journal) == ["a", "c"]
    assert f"damaged journal file not removed path={path}" in caplog.text
    assert "sss" not in caplog.text
    assert path.exists()
    await journal.append(entry("d"))
    await journal.close()
    path.unlink()
    async with running(folder) as after:
        assert names(after) == ["a", "c", "d"]


async def test_bytes_that_are_no_text_cost_only_the_entry_they_are_in(folder: Path) -> None:
    path = await stopped_with(folder, *"abc")
    damage(path, b'"id":"b"', b'"id":"\xff"')
    assert [entry.fields["id"] for entry in recovered_in_place(folder)] == ["a", "c"]


async def test_a_damaged_byte_anywhere_makes_no_entry_up_and_removes_no_file(
    folder: Path,
) -> None:
    path = await stopped_with(folder, *"abcd")
    whole, written = path.read_bytes(), recovered_in_place(folder)
    used = [place for place in range(len(whole)) if whole[place]]
    for place in [*range(100), *used[100::23]]:
        for flipped in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flipped]) + whole[place + 1 :])
            found = recovered_in_place(folder)
            assert all(entry in written for entry in found)
            assert path.exists()


async def test_a_file_that_was_cut_off_anywhere_makes_no_entry_up_and_stays(folder: Path) -> None:
    path = await stopped_with(folder, *map(str, range(20)))
    whole, written = path.read_bytes(), recovered_in_place(folder)
    for cut in [*range(1, 3 * PAGE_SIZE, 511), *range(3 * PAGE_SIZE, len(whole), 99_999)]:
        path.write_bytes(whole[:cut])
        assert all(entry in written for entry in recovered_in_place(folder))
        assert path.exists()


async def test_a_wal_that_was_cut_off_anywhere_has_every_commit_before_the_cut(
    folder: Path, tmp_path: Path
) -> None:
    """That is what a crash in the middle of a commit leaves."""
    path = await killed_with(folder, *map(str, range(8)))
    shutil.copytree(folder, tmp_path / "whole")
    wal = (tmp_path / "whole" / f"{path.name}-wal").read_bytes()
    counts = []
    for cut in range(0, 32 + 20 * (PAGE_SIZE + 24), 1000):
        shutil.copytree(tmp_path / "whole", folder, dirs_exist_ok=True)
        (folder / f"{path.name}-wal").write_bytes(wal[:cut])
        found = [entry.fields["id"] for entry in recovered_in_place(folder)]
        assert found == [str(number) for number in range(len(found))]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 8)


async def test_a_torn_commit_at_the_end_of_the_wal_costs_no_commit_before_it(
    folder: Path,
) -> None:
    path = await killed_with(folder, *"abc")
    damage(Path(f"{path}-wal"), b'"id":"c"', b'"id":"x"')
    async with running(folder) as journal:
        assert names(journal) == ["a", "b"]
        await journal.append(entry("d"))
    async with running(folder) as after:
        assert names(after) == ["a", "b", "d"]


def test_only_files_named_after_an_owner_id_belong_to_the_journal() -> None:
    assert NAME.fullmatch(STRANGER)
    assert NAME.fullmatch(f"{'0' * 32}-12.db")
    for name in ("connector.db", f"{STRANGER}-wal", f"{'0' * 31}.db", f"{'0' * 32}-x.db"):
        assert not NAME.fullmatch(name)
