"""An entry with a reservation can be appended although other programs fill the disk."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Journal
from connector.journal.journal import INITIAL_RESERVATIONS

from .disks import SMALL_DISK, files_up_to, filled, full_size_entry, mounted, reserve_all
from .helpers import entry, files_in, kill, names, open_journal, own_file, running, until_idle


async def use_reservation(journal: Journal, name: str) -> None:
    async with journal.reserve(entry(f"marker of {name}", size=100)):
        await journal.remove(await journal.append(entry(name)))


@pytest.mark.parametrize("concurrency", [1, 7, 1000])
async def test_every_reserved_entry_can_be_appended_after_the_disk_became_full(
    concurrency: int,
) -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await open_journal(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                assert count == INITIAL_RESERVATIONS
                for start in range(0, count, concurrency):
                    numbers = range(start, min(start + concurrency, count))
                    await asyncio.gather(
                        *(journal.append(full_size_entry(str(n))) for n in numbers)
                    )
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert sorted(names(after), key=int) == [str(number) for number in range(count)]


async def test_a_reservation_on_a_full_disk_waits_until_another_reservation_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with mounted(SMALL_DISK) as disk:
        async with running(disk / "connector.journal") as journal:
            with filled(disk):
                async with AsyncExitStack() as reservations:
                    await reserve_all(journal, reservations)
                    waiting = asyncio.create_task(use_reservation(journal, "a"))
                    for _ in range(3):
                        await journal.append(entry("b"))
                    assert not waiting.done()
                async with asyncio.timeout(5):
                    await waiting
                assert journal.write_error is None
    assert caplog.text.count("journal cannot grow") == 1


async def test_waiting_reservations_use_no_space_of_granted_reservations() -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await open_journal(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                waiting = [
                    asyncio.create_task(use_reservation(journal, str(number)))
                    for number in range(2000)
                ]
                for _ in range(3):
                    await journal.remove(await journal.append(entry("a")))
                await asyncio.gather(
                    *(journal.append(full_size_entry("response")) for _ in range(count))
                )
                for task in waiting:
                    task.cancel()
                await asyncio.wait(waiting)
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert names(after) == ["response"] * count


async def test_any_number_of_transactions_can_be_written_after_the_disk_became_full() -> None:
    with mounted(SMALL_DISK) as disk:
        async with running(disk / "connector.journal") as journal:
            with filled(disk):
                for _ in range(300):
                    await asyncio.gather(*(use_reservation(journal, str(n)) for n in range(32)))
                assert own_file(journal).commits > 600


async def test_a_reservation_is_refused_when_journal_entries_leave_no_space_on_the_disk() -> None:
    """The store is unreachable and the disk is full: no request is sent whose response has no space."""
    with mounted("size=16m") as disk:
        journal = await open_journal(disk / "connector.journal")
        with filled(disk):
            appended, refused = 0, None
            while refused is None:
                try:
                    async with journal.reserve():
                        await journal.append(full_size_entry(str(appended)))
                    appended += 1
                except JournalUnwritable as error:
                    refused = error
            assert "No space left on device" in refused.detail
            assert journal.write_error
            assert journal.entry_count == appended >= INITIAL_RESERVATIONS
        async with journal.reserve():
            assert journal.write_error is None
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert len(names(after)) == appended


async def test_an_entry_without_reservation_cannot_use_reserved_space() -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await open_journal(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                with pytest.raises(JournalUnwritable):
                    await journal.append(entry("huge", size=2**20))
                await asyncio.gather(
                    *(journal.append(full_size_entry("response")) for _ in range(count))
                )
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert names(after) == ["response"] * count


async def test_every_reserved_entry_can_be_appended_although_the_file_cannot_grow(
    folder: Path,
) -> None:
    """Tests the same as above without mounting, so that the test runs without root."""
    journal = await open_journal(folder)
    with files_up_to(max(path.stat().st_size for path in folder.iterdir())):
        async with AsyncExitStack() as reservations:
            count = await reserve_all(journal, reservations)
            await asyncio.gather(
                *(journal.append(full_size_entry("response")) for _ in range(count))
            )
        await until_idle(journal)
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["response"] * count


async def test_the_journal_file_grows_for_more_reservations_while_the_disk_has_space(
    folder: Path,
) -> None:
    journal = await open_journal(folder)
    await journal.append(entry("before"))
    async with AsyncExitStack() as reservations, asyncio.timeout(10):
        for number in range(1000):
            await reservations.enter_async_context(journal.reserve())
            if number % 100 == 0:
                await journal.append(entry(str(number)))
        assert len(files_in(folder)) == 2  # the database and its WAL
        with files_up_to(max(path.stat().st_size for path in folder.iterdir())):
            count = 1000 + await reserve_all(journal, reservations)
            await asyncio.gather(
                *(journal.append(full_size_entry("response")) for _ in range(count))
            )
    await kill(journal)
    async with running(folder) as after:
        assert names(after)[:3] == ["before", "0", "100"]
        assert len(names(after)) == 11 + count


async def test_a_reservation_that_waited_is_refused_if_the_entries_use_the_space_meanwhile() -> (
    None
):
    """The store is unreachable, so no entry is removed. No granted reservation may lack its space."""
    granted: list[str] = []

    async def use(journal: Journal, name: str) -> None:
        with suppress(JournalUnwritable):
            async with journal.reserve():
                granted.append(name)
                await asyncio.sleep(
                    0
                )  # Other reservations are granted before the response arrives.
                await append_or_fail(journal, name)

    with mounted(SMALL_DISK) as disk:
        journal = await open_journal(disk / "connector.journal")
        with filled(disk):
            await asyncio.gather(*(use(journal, str(number)) for number in range(300)))
        assert INITIAL_RESERVATIONS <= len(granted) <= 2 * INITIAL_RESERVATIONS
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert sorted(names(after)) == sorted(granted)


async def append_or_fail(journal: Journal, name: str) -> None:
    try:
        await journal.append(full_size_entry(name))
    except JournalUnwritable as error:
        pytest.fail(f"a granted reservation had no space: {error.detail}")
