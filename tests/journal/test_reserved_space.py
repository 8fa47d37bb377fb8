"""A reservation guarantees space for a response, even if other programs fill the disk."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connector.errors import JournalUnwritable
from connector.journal import Journal

from .disks import SMALL_DISK, files_up_to, filled, full_size, mounted, reserve_all
from .helpers import entry, files_in, kill, names, opened, own_file, running, until_idle


async def use_reservation(journal: Journal, name: str) -> None:
    async with journal.reserve(entry(f"marker of {name}", size=100)):
        await journal.remove(await journal.append(entry(name)))


@pytest.mark.parametrize("at_once", [1, 7, 1000])
async def test_every_reserved_response_can_be_appended_on_a_disk_that_was_filled_meanwhile(
    at_once: int,
) -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await opened(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                assert count > 32
                for start in range(0, count, at_once):
                    numbers = range(start, min(start + at_once, count))
                    await asyncio.gather(*(journal.append(full_size(str(n))) for n in numbers))
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert sorted(names(after), key=int) == [str(number) for number in range(count)]


async def test_on_a_full_disk_a_reservation_waits_until_another_one_ends(
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


async def test_waiting_reservations_take_no_space_from_granted_ones() -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await opened(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                others = [
                    asyncio.create_task(use_reservation(journal, str(number)))
                    for number in range(2000)
                ]
                for _ in range(3):
                    await journal.remove(await journal.append(entry("a")))
                await asyncio.gather(*(journal.append(full_size("response")) for _ in range(count)))
                for other in others:
                    other.cancel()
                await asyncio.wait(others)
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert names(after) == ["response"] * count


async def test_a_disk_that_was_filled_up_is_used_for_any_number_of_transactions() -> None:
    with mounted(SMALL_DISK) as disk:
        async with running(disk / "connector.journal") as journal:
            with filled(disk):
                for _ in range(300):
                    await asyncio.gather(*(use_reservation(journal, str(n)) for n in range(32)))
                assert own_file(journal)._commits > 600


async def test_entries_that_stay_count_until_the_disk_has_no_space_for_another_response() -> None:
    """The store is away, the disk is full: no further response is requested from TikTok."""
    with mounted("size=16m") as disk:
        journal = await opened(disk / "connector.journal")
        with filled(disk):
            appended, refused = 0, None
            while refused is None:
                try:
                    async with journal.reserve():
                        await journal.append(full_size(str(appended)))
                    appended += 1
                except JournalUnwritable as error:
                    refused = error
            assert "No space left on device" in refused.detail
            assert journal.write_error
            assert journal.entry_count == appended > 32
        async with journal.reserve():
            assert journal.write_error is None
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert len(names(after)) == appended


async def test_a_response_without_reservation_cannot_take_reserved_space() -> None:
    with mounted(SMALL_DISK) as disk:
        journal = await opened(disk / "connector.journal")
        with filled(disk):
            async with AsyncExitStack() as reservations:
                count = await reserve_all(journal, reservations)
                with pytest.raises(JournalUnwritable):
                    await journal.append(entry("huge", size=2**20))
                await asyncio.gather(*(journal.append(full_size("response")) for _ in range(count)))
        await kill(journal)
        async with running(disk / "connector.journal") as after:
            assert names(after) == ["response"] * count


async def test_where_a_file_cannot_be_made_larger_the_reserved_responses_still_fit(
    folder: Path,
) -> None:
    """As above, where nothing can be mounted."""
    journal = await opened(folder)
    with files_up_to(max(path.stat().st_size for path in folder.iterdir())):
        async with AsyncExitStack() as reservations:
            count = await reserve_all(journal, reservations)
            await asyncio.gather(*(journal.append(full_size("response")) for _ in range(count)))
        await until_idle(journal)
    await kill(journal)
    async with running(folder) as after:
        assert names(after) == ["response"] * count


async def test_more_than_fits_at_first_is_reserved_while_the_disk_has_space(folder: Path) -> None:
    journal = await opened(folder)
    await journal.append(entry("before"))
    async with AsyncExitStack() as reservations, asyncio.timeout(10):
        for number in range(1000):
            await reservations.enter_async_context(journal.reserve())
            if number % 100 == 0:
                await journal.append(entry(str(number)))
        assert len(files_in(folder)) == 2
        with files_up_to(max(path.stat().st_size for path in folder.iterdir())):
            count = 1000 + await reserve_all(journal, reservations)
            await asyncio.gather(*(journal.append(full_size("response")) for _ in range(count)))
    await kill(journal)
    async with running(folder) as after:
        assert names(after)[:3] == ["before", "0", "100"]
        assert len(names(after)) == 11 + count
