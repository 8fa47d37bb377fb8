"""A disk that refuses is met before an answer depends on it."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import logging
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import ROOM, Journal
from connector.journal.slot import CHUNK

from .boxes import at, dies, entry, names, opened, three_records

NOBODY = 65534


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """A file system of our own, where we are allowed one."""
    point = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)]
    try:
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            # On a laptop RLIMIT_FSIZE above has to do; CI is root, and there this is a failure.
            (pytest.fail if "CI" in os.environ else pytest.skip)("mounting takes root")
        try:
            yield point
        finally:
            subprocess.run(["umount", "--lazy", point], check=True)
    finally:
        point.rmdir()


async def test_room_is_refused_while_those_who_have_it_can_still_write(path: Path) -> None:
    """Whoever got room can write when the disk is full; whoever did not has spent nothing yet."""
    journal = await opened(path)
    granted = 0
    with files_up_to(CHUNK):
        async with AsyncExitStack() as rooms:
            refused = ""
            while not refused and granted < CHUNK // ROOM:
                try:
                    await rooms.enter_async_context(journal.room())
                    granted += 1
                except JournalUnwritable as error:
                    refused = error.message
            assert f"{path} cannot be written: File too large" in refused
            large = entry("large", size=ROOM - 200)
            tickets = await asyncio.gather(*(journal.write(large) for _ in range(granted)))
            for ticket in tickets[1:]:
                await journal.clear(ticket)
        await dies(journal)
    assert granted == CHUNK // ROOM - 1
    async with at(path) as after:
        assert names(after) == ["large"]


async def test_room_is_given_again_once_the_disk_has_some(path: Path) -> None:
    async with at(path) as journal:
        with files_up_to(0):
            with pytest.raises(JournalUnwritable) as caught:
                async with journal.room():
                    raise AssertionError("no room was proven")
            assert caught.value.retryable
            assert caught.value.retry_after
            assert journal.trouble
        async with journal.room():
            await journal.clear(await journal.write(entry("a")))
        assert journal.trouble is None


async def test_a_full_disk_at_the_start_stops_new_answers_but_not_the_replay(path: Path) -> None:
    await three_records(path)
    with files_up_to(0):
        journal = await opened(path)
        assert names(journal) == ["a", "b", "c"]
        assert journal.trouble
        with pytest.raises(JournalUnwritable):
            await journal.write(entry("d"))
        for ticket, left in journal.left():
            if left.fields["id"] != "c":
                await journal.clear(ticket)
    async with journal.room():
        await journal.write(entry("e"))
    await dies(journal)
    async with at(path) as after:
        assert names(after) == ["c", "e"]


async def test_clearing_on_a_full_disk_never_hits_an_entry_that_is_still_needed(
    path: Path,
) -> None:
    journal = await opened(path)
    tickets = [await journal.write(entry(name)) for name in "abc"]
    await journal.clear(tickets[0])
    await dies(journal)
    with files_up_to(CHUNK - 1):  # no new file, but room in the old one
        second = await opened(path)
        assert names(second) == ["b", "c"]
        await second.clear(second.left()[1][0])
        await second.write(entry("d"))
        await dies(second)
    async with at(path) as third:
        assert {"b", "d"} <= set(names(third))


async def test_room_left_after_a_failed_call_is_room_for_the_next(path: Path) -> None:
    async with at(path) as journal:
        with files_up_to(CHUNK):
            for _ in range(200):
                with pytest.raises(ZeroDivisionError):
                    async with journal.room():
                        raise ZeroDivisionError


async def test_the_alarm_is_sounded_once_and_ended_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at(path) as journal:
        with caplog.at_level(logging.INFO, "connector.journal"):
            with files_up_to(0):
                for _ in range(3):
                    with pytest.raises(JournalUnwritable):
                        await journal.write(entry("a"))
            await journal.clear(await journal.write(entry("b")))
    assert [record.message.split(" path=")[0] for record in caplog.records] == [
        "journal unwritable",
        "journal writable again",
    ]


async def test_a_disk_that_is_really_full_loses_nothing_and_recovers() -> None:
    with mounted("size=768k") as disk:
        journal = await opened(disk / "connector.journal")
        await journal.write(entry("a"))
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2**20))
        async with journal.room():
            await journal.write(entry("b", size=ROOM // 2))
        with pytest.raises(JournalUnwritable, match="No space left on device"):
            await journal.write(entry("huge", size=CHUNK))
        await dies(journal)
        second = await opened(disk / "connector.journal")
        assert names(second) == ["a", "b"]
        ballast.unlink()
        async with second.room():
            await second.write(entry("c"))
        await dies(second)
        async with at(disk / "connector.journal") as third:
            assert names(third) == ["a", "b", "c"]


async def test_whoever_is_refused_on_a_full_disk_takes_nothing_from_those_who_have_room() -> None:
    with mounted("size=512k") as disk:
        journal, ballast = await opened(disk / "connector.journal"), disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2**20))
        async with journal.room(entry("ours", size=100)):
            for _ in range(2000):
                with suppress(JournalUnwritable):
                    async with journal.room(entry("another", size=100)):
                        pass
            await journal.write(entry("grant", size=ROOM // 2))
        await dies(journal)
        async with at(disk / "connector.journal") as after:
            assert "grant" in names(after)


async def test_a_read_only_disk_is_named_at_once() -> None:
    with mounted("ro") as disk, pytest.raises(JournalUnwritable, match="Read-only file system"):
        await Journal(disk / "connector.journal").open()


async def test_a_directory_we_may_not_write_to_is_named_at_once() -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o555)
    before = os.geteuid()
    try:
        if before == 0:
            os.seteuid(NOBODY)
        with pytest.raises(JournalUnwritable, match=f"{directory}.*Permission denied"):
            await Journal(directory / "connector.journal").open()
    finally:
        os.seteuid(before)
        shutil.rmtree(directory)


async def test_a_missing_directory_above_the_last_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnwritable, match=r"No such file or directory \(.*missing/too\)"):
        await Journal(tmp_path / "missing" / "too" / "connector.journal").open()


async def test_a_directory_in_its_place_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(JournalUnwritable, match="Is a directory"):
        await Journal(path).open()


async def test_a_device_in_its_place_is_named() -> None:
    with pytest.raises(JournalUnwritable, match=r"/dev/full cannot be written"):
        await Journal(Path("/dev/full")).open()


async def test_a_journal_that_is_closed_says_so(path: Path) -> None:
    async with at(path) as journal:
        pass
    with pytest.raises(JournalUnwritable, match="not open"):
        await journal.write(entry("a"))
