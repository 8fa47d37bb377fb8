"""What was written and not cleared is there in the next life; the file stays small."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connector.journal import ROOM, Entry
from connector.journal.shelf import DEAD_WEIGHT
from connector.journal.slot import CHUNK

from .boxes import at, dies, entry, names, opened


async def test_an_entry_is_there_after_its_process_died(path: Path) -> None:
    journal = await opened(path)
    async with journal.room():
        await journal.write(entry("a"))
    await dies(journal)
    async with at(path) as after:
        assert [left for _, left in after.left()] == [entry("a")]


async def test_a_cleared_entry_does_not_come_back(path: Path) -> None:
    journal = await opened(path)
    tickets = [await journal.write(entry(name)) for name in "abc"]
    await journal.clear(tickets[1])
    await dies(journal)
    async with at(path) as after:
        assert names(after) == ["a", "c"]


async def test_what_was_cleared_is_told_to_the_disk_though_nobody_writes_again(path: Path) -> None:
    async with at(path) as journal:
        await journal.clear(ticket := await journal.write(entry("a")))
        while b'{"cleared":%d}' % ticket not in path.read_bytes():  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.001)


async def test_what_was_cleared_while_the_disk_was_slow_is_told_to_it_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.journal.CLEARED_WITHIN", 0)
    async with at(path) as journal:
        ticket = await journal.write(entry("a"))
        disk = threading.Event()
        journal._thread.submit(disk.wait)
        writing = asyncio.create_task(journal.write(entry("b")))
        for _ in range(3):  # until it is on its way
            await asyncio.sleep(0)
        await journal.clear(ticket)
        for _ in range(3):  # until the moment to tell has passed
            await asyncio.sleep(0)
        disk.set()
        await writing
        while journal._pump:
            await journal._pump
        assert b'{"cleared":%d}' % ticket in path.read_bytes()


@pytest.mark.parametrize("flags", [0, 1 << 30], ids=["none", "one nobody knows"])
async def test_where_a_write_cannot_be_synced_in_one_step_it_takes_two(
    path: Path, monkeypatch: pytest.MonkeyPatch, flags: int
) -> None:
    monkeypatch.setattr("connector.journal.slot._SYNCED", flags)
    journal = await opened(path)
    await journal.write(entry("a"))
    await journal.write(entry("b"))
    await dies(journal)
    async with at(path) as after:
        assert names(after) == ["a", "b"]


async def test_a_note_stands_for_as_long_as_its_room_is_held(path: Path) -> None:
    journal = await opened(path)
    async with journal.room(entry("over")):
        pass
    async with journal.room(entry("note")):
        await dies(journal)
    async with at(path) as after:
        assert names(after) == ["note"]


async def test_who_leaves_before_room_was_proven_leaves_no_note(path: Path) -> None:
    async def enter() -> None:
        async with journal.room(entry("note")):
            raise AssertionError("nobody waited for the proof")

    async with at(path) as journal:
        entering = asyncio.create_task(enter())
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert journal.held == 0
        await journal.write(entry("a"))


async def test_what_is_left_can_be_cleared_in_the_next_life(path: Path) -> None:
    journal = await opened(path)
    for name in "abc":
        await journal.write(entry(name))
    await dies(journal)
    second = await opened(path)
    for ticket, left in second.left():
        if left.fields["id"] != "b":
            await second.clear(ticket)
    await second.write(entry("d"))
    await dies(second)
    async with at(path) as third:
        assert names(third) == ["b", "d"]


async def test_what_nobody_cleared_outlives_any_number_of_lives(path: Path) -> None:
    for life in range(5):
        journal = await opened(path)
        assert names(journal) == [str(earlier) for earlier in range(life)]
        await journal.write(entry(str(life)))
        await dies(journal)


async def test_clearing_twice_is_clearing_once(path: Path) -> None:
    async with at(path) as journal:
        ticket = await journal.write(entry("a"))
        await journal.clear(ticket)
        await journal.clear(ticket)


async def test_an_orderly_end_with_nothing_left_leaves_no_file(path: Path) -> None:
    async with at(path) as journal:
        await journal.clear(await journal.write(entry("a")))
        assert path.exists()
    assert list(path.parent.iterdir()) == []


async def test_an_orderly_end_with_something_left_keeps_it(path: Path) -> None:
    async with at(path) as journal:
        await journal.write(entry("a"))
    async with at(path) as after:
        assert names(after) == ["a"]


async def test_the_file_is_for_its_owner_only_even_if_it_was_not_before(path: Path) -> None:
    path.touch(0o644)
    async with at(path):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_the_last_directory_is_made(tmp_path: Path) -> None:
    async with at(tmp_path / "var" / "connector.journal") as journal:
        assert journal.path.exists()


async def test_writes_that_wait_together_share_their_syncs(path: Path) -> None:
    def system_writes() -> int:
        return int(Path("/proc/self/io").read_text().split("syscw: ")[1].split()[0])

    async with at(path) as journal:
        before = system_writes()
        await asyncio.gather(*(journal.write(entry(str(number))) for number in range(1000)))
        assert system_writes() - before < 20


async def test_a_write_is_not_undone_by_cancelling_whoever_waits_for_it(path: Path) -> None:
    journal = await opened(path)
    writing = asyncio.create_task(journal.write(entry("a")))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await dies(journal)
    async with at(path) as after:
        assert names(after) == ["a"]


async def test_a_cancelled_wait_for_room_leaves_the_others_theirs(path: Path) -> None:
    async with at(path) as journal, AsyncExitStack() as rooms:
        waiting = asyncio.create_task(rooms.enter_async_context(journal.room()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with journal.room():
            await journal.clear(await journal.write(entry("a")))


async def test_an_entry_larger_than_its_room_is_written_all_the_same(path: Path) -> None:
    journal = await opened(path)
    async with journal.room():
        await journal.write(entry("a", size=10 * ROOM))
    await journal.write(entry("b", size=2 * CHUNK))
    async with journal.room():
        await journal.write(entry("c"))
    await dies(journal)
    async with at(path) as after:
        assert [left for _, left in after.left()] == [
            entry("a", size=10 * ROOM),
            entry("b", size=2 * CHUNK),
            entry("c"),
        ]


async def test_any_text_comes_back_as_it_was(path: Path) -> None:
    odd = Entry("grant", {"id": 'é\n\0"\ud800', "of": [1, None, {"scope": 7533163835474346001}]})
    journal = await opened(path)
    await journal.write(odd)
    await dies(journal)
    async with at(path) as after:
        assert after.left()[0][1] == odd


async def test_a_file_does_not_grow_without_end_while_something_is_always_live(path: Path) -> None:
    journal = await opened(path)
    oldest = await journal.write(entry("oldest"))
    for _ in range(40):
        tickets = await asyncio.gather(*(journal.write(entry("x")) for _ in range(500)))
        await asyncio.gather(*map(journal.clear, tickets))
        assert path.stat().st_size <= DEAD_WEIGHT + 8 * CHUNK
    await journal.write(entry("newest"))
    await dies(journal)
    async with at(path) as after:
        assert names(after) == ["oldest", "newest"]
        assert path.stat().st_size == CHUNK
        await after.clear(oldest)


async def test_an_idle_journal_is_one_chunk_long_and_really_has_it(path: Path) -> None:
    async with at(path):
        assert path.stat().st_size == CHUNK
        assert path.stat().st_blocks * 512 >= CHUNK
