"""Killed for real, at any moment, again and again."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from .boxes import dies, names, opened

CHILD = """
import asyncio, sys
from pathlib import Path
from connector.journal import Entry, Journal

async def refresh(journal, name):
    async with journal.room():
        ticket = await journal.write(Entry("refresh", {"id": name, "sealed": "s" * 6000}))
    print("kept", name, flush=True)
    if not name.endswith("7"):
        print("clearing", name, flush=True)
        await journal.clear(ticket)

async def main(path, life):
    journal = Journal(Path(path))
    await journal.open()
    for ticket, entry in journal.left():
        print("clearing", entry.fields["id"], flush=True)
        await journal.clear(ticket)
    for batch in range(10_000):
        await asyncio.gather(*(refresh(journal, f"{life}-{batch}-{n}") for n in range(20)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_at_any_moment_every_entry_that_was_kept_and_not_cleared_is_there(
    path: Path,
) -> None:
    """Every life replays what the one before it left, writes on, past compaction, and is killed."""
    chance = random.Random(7)
    kept: set[str] = set()
    cleared: set[str] = set()
    for life in range(12):
        for line in await said_until_killed(path, life, after=chance.randrange(1, 1500)):
            word, name = line.split()
            (kept if word == "kept" else cleared).add(name)
        witness = await opened(path)
        assert kept - cleared <= set(names(witness))
        await dies(witness)
    assert len(kept) > 2000


async def said_until_killed(path: Path, life: int, *, after: int) -> list[str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, path, str(life), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    said = [await child.stdout.readline() for _ in range(after)]
    child.kill()
    said += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    return [line.decode() for line in said if line.endswith(b"\n")]
