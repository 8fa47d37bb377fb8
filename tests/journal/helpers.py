"""Helpers that open, close and kill journals."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from connector.journal import Entry, Journal
from connector.journal.dead_files import DeadFiles
from connector.journal.entries import DEAD_OWNER, decode
from connector.journal.files import JournalFile


def entry(name: str, *, size: int = 1000) -> Entry:
    return Entry("refresh", {"id": name, "payload": "s" * size})


def names(journal: Journal) -> list[str]:
    return [recovered.entry.fields["id"] for recovered in journal.recovered.entries]


def owners(journal: Journal) -> set[str]:
    return {recovered.owner_id for recovered in journal.recovered.owners}


def own_file(journal: Journal) -> JournalFile:
    assert journal._file is not None
    return journal._file


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def open_journal(folder: Path) -> Journal:
    journal = Journal(folder)
    await journal.open()
    return journal


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Journal]:
    journal = await open_journal(folder)
    try:
        yield journal
    finally:
        await journal.close()


async def rows(journal: Journal) -> dict[int, bytes]:
    """Returns the rows in the file of a running journal. Only the journal's own connection may read them."""
    select, execute = (
        "select id, record from entries where id > 0",
        own_file(journal).database.execute,
    )
    return dict(await journal._in_thread(lambda: execute(select).fetchall()))


async def remove_all_recovered(journal: Journal) -> None:
    for entry in journal.recovered.entries:
        await journal.remove(entry.entry_id)
    for owner in journal.recovered.owners:
        await journal.remove(owner.entry_id)


async def entries_on_disk(journal: Journal) -> list[Entry | None]:
    return [decode(record) for record in (await rows(journal)).values()]


async def until_idle(journal: Journal) -> None:
    while journal._writer or journal._pending.removals:
        await journal._commit()


async def kill(journal: Journal) -> None:
    """Has the effect of SIGKILL: releases the lock, leaves the files and the WAL of the last commit."""
    await until_idle(journal)
    files = [file for file in (*journal._dead_files.locked, journal._file) if file is not None]
    paths = [Path(f"{file.path}{suffix}") for file in files for suffix in ("", "-wal")]
    contents = {path: path.read_bytes() for path in paths if path.exists()}
    for file in files:
        await journal._in_thread(file.close)
    for path, content in contents.items():
        path.write_bytes(content)
    journal._thread.shutdown()


async def file_of_killed_process(folder: Path, *names: str, size: int = 1000) -> Path:
    """Returns the file of a process that was killed with these entries in its journal."""
    journal = await open_journal(folder)
    for name in names:
        await journal.append(entry(name, size=size))
    path = own_file(journal).path
    await kill(journal)
    return path


async def file_of_stopped_process(folder: Path, *names: str, size: int = 1000) -> Path:
    """Returns the file (without a WAL) of a process that stopped with these entries in its journal."""
    async with running(folder) as journal:
        for name in names:
            await journal.append(entry(name, size=size))
        return own_file(journal).path


def recover_entries(folder: Path) -> list[Entry]:
    """Returns the entries that the next process would recover."""
    files = DeadFiles(folder).lock()
    entries = [entry for file in files for entry in file.read()]
    for file in files:
        file.close()
    return [entry for entry in entries if entry and entry.kind != DEAD_OWNER]


def recoverable(folder: Path) -> list[Entry]:
    """Returns the recoverable entries from a copy, so that any process may have the files open."""
    with TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        return recover_entries(Path(copy))


def damage(path: Path, original: bytes, replacement: bytes) -> None:
    """Changes bytes of a file, like a damaged disk."""
    content = path.read_bytes()
    assert original in content
    path.write_bytes(content.replace(original, replacement))
