"""A real process is killed repeatedly at random moments."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from .helpers import files_in, kill, names, open_journal, remove_all_recovered

CHILD_SCRIPT = """
import asyncio, sys
from pathlib import Path
from connector.journal import Entry, Journal

async def refresh(journal, name):
    async with journal.reserve(Entry("refresh", {"id": f"marker of {name}"})):
        entry_id = await journal.append(Entry("refresh", {"id": name, "payload": "s" * 6000}))
    print("appended", name, flush=True)
    if not name.endswith("7"):
        print("removing", name, flush=True)
        await journal.remove(entry_id)

async def main(folder, start):
    print("starting", start, flush=True)
    journal = Journal(Path(folder))
    await journal.open()
    for recovered in [*journal.recovered.entries, *journal.recovered.owners]:
        if hasattr(recovered, "entry"):
            print("removing", recovered.entry.fields["id"].replace(" ", "_"), flush=True)
        await journal.remove(recovered.entry_id)
    for batch in range(10_000):
        await asyncio.gather(*(refresh(journal, f"{start}-{batch}-{n}") for n in range(60)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_every_appended_journal_entry_survives_a_kill_at_any_moment(
    folder: Path,
) -> None:
    """Every process recovers the earlier entries, appends, moves to larger files and is killed."""
    random_source = random.Random(7)
    appended: set[str] = set()
    removed: set[str] = set()
    for start in range(14):
        lines = 1 + random_source.randrange(3000) * (start % 3)
        for line in await printed_until_killed(folder, start, lines=lines):
            word, name = line.split()
            if word != "starting":
                (appended if word == "appended" else removed).add(name)
        survivor = await open_journal(folder)
        assert appended - removed <= set(names(survivor))
        await kill(survivor)
    assert len(appended) > 2000
    last = await open_journal(folder)
    await remove_all_recovered(last)
    await last.close()
    assert files_in(folder) == []


async def printed_until_killed(folder: Path, start: int, *, lines: int) -> list[str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD_SCRIPT, folder, str(start), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    printed = [await child.stdout.readline() for _ in range(lines)]
    child.kill()
    printed += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    return [line.decode() for line in printed if line.endswith(b"\n")]
