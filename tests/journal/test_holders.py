"""Whoever takes over a file learns who died, and nobody learns it of the living."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

from pathlib import Path

from connector.journal import Journal, lines
from connector.journal.shelf import DEAD_WEIGHT

from .boxes import at, dies, entry, names, opened, three_records
from .test_disks import files_up_to


def dead(journal: Journal) -> list[str]:
    return sorted(holder for _, holder in journal.dead())


async def test_whoever_takes_over_learns_who_died(path: Path) -> None:
    first, second = await opened(path), await opened(path)
    await dies(second)
    await dies(first)
    async with at(path) as heir:
        assert dead(heir) == sorted([first.holder, second.holder])
        assert heir.holder not in dead(heir)
        async with at(path) as latecomer:
            assert dead(latecomer) == []


async def test_the_living_are_not_among_them(path: Path) -> None:
    async with at(path):
        await dies(second := await opened(path))
        async with at(path) as heir:
            assert dead(heir) == [second.holder]


async def test_a_holder_is_no_answer(path: Path) -> None:
    await dies(await opened(path))
    async with at(path) as heir:
        assert (heir.held, heir.left()) == (0, [])


async def test_their_names_are_handed_down_until_they_are_cleared(path: Path) -> None:
    await dies(first := await opened(path))
    await dies(second := await opened(path))
    third = await opened(path)
    assert dead(third) == sorted([first.holder, second.holder])
    for ticket, _ in third.dead():
        await third.clear(ticket)
    await dies(third)
    async with at(path) as heir:
        assert dead(heir) == [third.holder]


async def test_our_own_keeps_no_file_alive_but_theirs_do(path: Path) -> None:
    """`connector check` between a crash and the next start takes nothing away."""
    await dies(first := await opened(path))
    async with at(path):
        pass
    async with at(path) as heir:
        assert first.holder in dead(heir)
        for ticket, _ in heir.dead():
            await heir.clear(ticket)
    assert list(path.parent.iterdir()) == []


async def test_a_name_outlives_the_rewriting_of_its_file(path: Path) -> None:
    await dies(first := await opened(path))
    second = await opened(path)
    for name in ("early", "late"):
        await second.clear(await second.write(entry(name, size=DEAD_WEIGHT)))
    await dies(second)
    assert b'"early"' not in path.read_bytes()
    async with at(path) as heir:
        assert dead(heir) == sorted([first.holder, second.holder])


async def test_a_damaged_name_costs_no_answer(path: Path) -> None:
    data = await three_records(path)
    path.write_bytes(data.replace(b'"holder"', b'"h0lder"', 1))
    async with at(path) as heir:
        assert dead(heir) == []
        assert names(heir) == ["a", "b", "c"]


async def test_on_a_full_disk_we_go_on_unnamed_and_still_learn_who_died(path: Path) -> None:
    await three_records(path)
    [died] = lines.read(path.read_bytes()).holders.values()
    with files_up_to(0):
        await dies(unnamed := await opened(path))
        assert dead(unnamed) == [died]
    async with at(path) as heir:
        assert dead(heir) == [died]


async def test_and_sign_as_soon_as_there_is_room(path: Path) -> None:
    with files_up_to(0):
        journal = await opened(path)
    async with journal.room():
        pass
    await dies(journal)
    async with at(path) as heir:
        assert dead(heir) == [journal.holder]
