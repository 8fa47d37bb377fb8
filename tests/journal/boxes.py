"""Journals that live and die as a test wants."""

# ruff: noqa: ASYNC240 - a test may look at its own files without leaving the loop

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from connector.journal import Entry, Journal


def entry(name: str, *, size: int = 1000) -> Entry:
    return Entry("refresh", {"id": name, "sealed": "s" * size})


def names(journal: Journal) -> list[str]:
    return [entry.fields["id"] for _, entry in journal.left()]


async def opened(path: Path) -> Journal:
    journal = Journal(path)
    await journal.open()
    return journal


async def dies(journal: Journal) -> None:
    """As the kernel does it, a moment later: what was written stays, the lock goes, nobody tidies up."""
    while journal._clearing or journal._pump:
        await journal._start()
    journal._shelf.leave(empty=False)
    journal._thread.shutdown()


@asynccontextmanager
async def at(path: Path) -> AsyncIterator[Journal]:
    journal = await opened(path)
    try:
        yield journal
    finally:
        await journal.close()


async def three_records(path: Path) -> bytes:
    journal = await opened(path)
    for name in "abc":
        await journal.write(entry(name, size=20))
    await dies(journal)
    return path.read_bytes().rstrip(b"\0")
