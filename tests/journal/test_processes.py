"""Each process has a file of its own, and inherits only from the dead."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

import asyncio
from pathlib import Path

from connector.journal.slot import Slot

from .boxes import at, dies, entry, names, opened


async def test_each_process_has_a_file_of_its_own(path: Path) -> None:
    async with at(path) as first, at(path) as second, at(path) as third:
        await asyncio.gather(*(one.write(entry("a")) for one in (first, second, third)))
        assert {file.name for file in path.parent.iterdir()} == {
            "connector.journal",
            "connector.journal.1",
            "connector.journal.2",
        }


async def test_an_entry_of_a_living_process_is_never_replayed(path: Path) -> None:
    async with at(path) as first:
        await first.write(entry("a"))
        async with at(path) as second:
            assert second.left() == []
        await first.write(entry("b"))
        assert path.exists()


async def test_a_dead_process_leaves_its_entries_to_the_next_that_starts(path: Path) -> None:
    first, second, third = [await opened(path) for _ in range(3)]
    await third.write(entry("c"))
    await second.write(entry("b"))
    await first.write(entry("a"))
    await dies(third)
    await dies(first)
    async with at(path) as heir:
        assert sorted(names(heir)) == ["a", "c"]
        assert not path.with_name(f"{path.name}.2").exists()
        async with at(path) as latecomer:
            assert latecomer.left() == []
    await dies(second)
    async with at(path) as last:
        assert sorted(names(last)) == ["a", "b", "c"]


async def test_what_was_taken_over_survives_another_death(path: Path) -> None:
    first, second = await opened(path), await opened(path)
    await second.write(entry("b"))
    await dies(second)
    await dies(first)
    await dies(await opened(path))
    async with at(path) as heir:
        assert names(heir) == ["b"]


async def test_many_that_start_at_once_share_neither_a_file_nor_an_inheritance(path: Path) -> None:
    before = [await opened(path) for _ in range(6)]
    for number, journal in enumerate(before):
        await journal.write(entry(str(number)))
    for journal in before:
        await dies(journal)
    heirs = await asyncio.gather(*(opened(path) for _ in range(10)))
    assert sorted(name for heir in heirs for name in names(heir)) == list("012345")
    assert len({heir._shelf.own.path for heir in heirs}) == 10
    for heir in heirs:
        await heir.close()


async def test_a_journal_moved_away_while_in_use_is_begun_anew_with_all_that_is_live(
    path: Path,
) -> None:
    journal = await opened(path)
    await journal.write(entry("a"))
    path.rename(path.with_name("elsewhere"))
    async with at(path) as other:
        async with journal.room():
            await journal.write(entry("b"))
        await other.write(entry("c"))
        await dies(journal)
        async with at(path) as heir:
            assert names(heir) == ["a", "b"]


async def test_a_journal_moved_away_does_not_take_another_ones_file_with_it(path: Path) -> None:
    async with at(path):
        path.rename(path.with_name("elsewhere"))
        other = await opened(path)
        await other.write(entry("a"))
    await dies(other)
    async with at(path) as heir:
        assert names(heir) == ["a"]


async def test_a_path_is_never_held_twice_however_fast_it_changes_hands(path: Path) -> None:
    holding: list[Slot] = []

    def take_and_remove() -> int:
        taken = 0
        while taken < 300:
            if slot := Slot.take(path):
                assert slot.is_in_place()
                holding.append(slot)
                assert len(holding) == 1
                holding.remove(slot)
                slot.remove()
                taken += 1
        return taken

    assert (
        await asyncio.gather(*(asyncio.to_thread(take_and_remove) for _ in range(4))) == [300] * 4
    )
