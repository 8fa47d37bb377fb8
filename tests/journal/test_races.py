"""The event loop and the journal's thread change the journal at the same time."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Journal
from connector.journal.files import PAGES_PER_SLOT, JournalFile
from connector.journal.journal import INITIAL_RESERVATIONS

from .helpers import entry, kill, names, open_journal, own_file, running


def free_pages(journal: Journal) -> int:
    [[pages]] = own_file(journal).database.execute("pragma freelist_count").fetchall()
    return int(pages)


async def test_a_file_that_is_replaced_during_a_growth_does_not_become_smaller(
    folder: Path,
) -> None:
    """The second replacement starts in the thread before the event loop knows that the first has ended."""
    async with running(folder) as journal:
        growth = journal._thread.submit(journal._replace_file, 2 * INITIAL_RESERVATIONS)
        replacement = journal._thread.submit(journal._replace_file)
        growth.result()
        replacement.result()
        pages = await journal._in_thread(lambda: free_pages(journal))
        assert pages >= 2 * 2 * INITIAL_RESERVATIONS * PAGES_PER_SLOT


async def test_a_missing_file_that_a_growth_has_already_replaced_is_not_replaced_again(
    folder: Path,
) -> None:
    async with running(folder) as journal:
        missing = own_file(journal)
        current = await journal._in_thread(journal._replace_file)
        await journal._in_thread(partial(journal._replace_missing, missing))
        assert own_file(journal) is current


async def test_an_unexpected_error_is_reported_to_the_caller_and_does_not_stop_later_commits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await open_journal(folder)

    def fail(*_: object) -> None:
        raise MemoryError("no memory for this commit")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "commit", fail)
        async with asyncio.timeout(5):
            with pytest.raises(JournalUnwritable) as caught:
                await journal.append(entry("a"))
    assert "no memory for this commit" in caught.value.detail
    async with asyncio.timeout(5):
        await journal.append(entry("b"))
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["b"]


async def test_a_close_that_is_cancelled_does_not_lose_an_entry(folder: Path) -> None:
    journal = await open_journal(folder)
    disk_is_ready = threading.Event()
    journal._thread.submit(disk_is_ready.wait)
    appending = asyncio.create_task(journal.append(entry("a")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    closing.cancel()
    disk_is_ready.set()
    async with asyncio.timeout(5):
        await appending
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["a"]


async def test_a_file_that_was_truncated_to_nothing_is_not_removed(folder: Path) -> None:
    journal = await open_journal(folder)
    await journal.append(entry("a"))
    path = own_file(journal).path
    await kill(journal)
    path.write_bytes(b"")
    async with running(folder):
        assert path.exists()
