"""What is there is read, whatever happened to what stands beside it."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Journal, lines

from .boxes import at, dies, entry, names, opened, three_records


async def test_a_file_cut_at_any_byte_keeps_every_record_before_the_cut(path: Path) -> None:
    data = await three_records(path)
    ends = [data.index(b"\n", data.index(name)) for name in (b'"a"', b'"b"')] + [len(data) - 1]
    for cut in range(len(lines.HEADING), len(data)):
        found = lines.read(data[:cut] + bytes(100)).live.values()
        assert len(found) == sum(end <= cut for end in ends)


async def test_a_damaged_byte_anywhere_costs_at_most_the_record_it_is_in(path: Path) -> None:
    data = await three_records(path)
    whole = lines.read(data).live
    for place in range(len(data)):
        for damage in (0x00, 0x0A, data[place] ^ 0x01, data[place] ^ 0x80):
            harmed = data[:place] + bytes([damage]) + data[place + 1 :]
            found = lines.read(harmed).live
            assert len(found) >= 2
            assert found.items() <= whole.items()


async def test_after_a_torn_last_record_the_journal_goes_on(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = await three_records(path)
    path.write_bytes(data[:-30])
    with caplog.at_level(logging.WARNING, "connector.journal"):
        second = await opened(path)
    assert names(second) == ["a", "b"]
    assert "dropped damaged lines" in caplog.text
    assert "sss" not in caplog.text
    await second.write(entry("d"))
    await dies(second)
    async with at(path) as third:
        assert names(third) == ["a", "b", "d"]


async def test_a_file_that_is_no_journal_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("SUPABASE_URL=https://example.supabase.co\n")
    with pytest.raises(JournalUnwritable, match="something other than a journal"):
        await Journal(path).open()
    assert path.read_text().startswith("SUPABASE_URL")


async def test_a_file_beside_ours_that_is_no_journal_is_left_alone(path: Path) -> None:
    foreign = path.with_name(f"{path.name}.7")
    foreign.write_text("rotated away by somebody\n")
    async with at(path) as journal:
        assert journal.left() == []
    assert foreign.exists()


async def test_a_half_made_new_file_is_no_hindrance(path: Path) -> None:
    await three_records(path)
    path.with_name(f"{path.name}.new").write_bytes(b"connector jour")
    async with at(path) as journal:
        assert names(journal) == ["a", "b", "c"]
