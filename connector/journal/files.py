"""The SQLite files of the journal. Every call blocks.

The name of a file begins with the owner id of its process. No name is used twice, so a path that exists
still names the same file. SQLite uses POSIX locks: the kernel drops them when the process ends, but also
when the process closes any other descriptor of the same file. So no code may open a file while SQLite has the file open.

A response of a reservation never needs a new disk block. The database is filled and emptied once, and cannot grow
after that. The WAL has space for all pages of the database and for all pages before a checkpoint: one
transaction writes a page only once, and after a checkpoint SQLite overwrites the WAL.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .entries import DEAD_OWNER, Entry, decode

FILE_ERRORS = (OSError, sqlite3.Error, UnicodeError)
"""`UnicodeError` is raised if SQLite's error message quotes a damaged file."""

PAGE_SIZE = 4096
SLOT_BYTES = 8 * 1024
"""The space for one response. Encrypted tokens have one or two KiB. A larger response uses several slots,
but a reservation guarantees only one."""

PAGES_PER_SLOT = 3
SPARE_PAGES = 16
CHECKPOINT_PAGES = 1000
LOCK_TIMEOUT_SECONDS = 1.0

# A commit is one statement, because the thread must wait for Python's lock after each statement.
CREATE_TABLE = f"""
pragma page_size = {PAGE_SIZE};
pragma temp_store = memory;
pragma secure_delete = off;
begin;
create table entries (id integer primary key, record text not null);
create view commits as select null as records, null as removals;
create trigger commit_both instead of insert on commits begin
  delete from entries where id in (select value from json_each(new.removals));
  insert or replace into entries select cast(key as integer), value from json_each(new.records);
end;
commit;
pragma journal_mode = wal;
pragma synchronous = normal;
pragma wal_autocheckpoint = 0;
"""  # noqa: S608 - only constants of this module

# SQLite replaces the 1 by the current number of pages, so the database cannot grow.
LIMIT_SIZE = f"""
pragma wal_checkpoint;
pragma synchronous = full;
pragma wal_autocheckpoint = {CHECKPOINT_PAGES};
pragma max_page_count = 1;
"""


class JournalFile:
    """One locked file. Raises an error with the code `SQLITE_BUSY` while another process has the lock."""

    def __init__(self, path: Path, *, lock_timeout: float = 0) -> None:
        self.path = path
        self.commits = 0
        uri = path.absolute().as_uri() + "?mode=rw"
        self.database = sqlite3.connect(uri, uri=True, timeout=lock_timeout, isolation_level=None)
        self.database.text_factory = bytes
        try:
            self.database.execute("pragma locking_mode = exclusive")
            self.database.execute("begin exclusive")
            self.database.execute("rollback")
        except FILE_ERRORS:
            self.close()
            raise

    def set_up(self, records: Mapping[int, str], *, pages: int) -> None:
        """Writes the records, and allocates disk blocks for `pages` free pages and for the WAL."""
        self.database.executescript(CREATE_TABLE)
        if self.database.execute("pragma journal_mode").fetchone() != (b"wal",):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), str(self.path))
        self.commit(records, [])
        for size in (pages, CHECKPOINT_PAGES):
            for start in range(0, size, pages):
                blob_size = min(pages, size - start) * PAGE_SIZE
                self.database.execute("insert into entries values (-1, zeroblob(?))", [blob_size])
                self.database.execute("delete from entries where id = -1")
        self.database.executescript(LIMIT_SIZE)  # The checkpoint syncs everything.
        sync_directory(self.path.parent)

    def read(self) -> list[Entry | None]:
        """Returns the owner id of the file and its entries, oldest first. None means damage."""
        entries: list[Entry | None] = [Entry(DEAD_OWNER, {"owner_id": self.path.name[:32]})]
        select = "select record from entries where id > 0 order by id"
        try:
            for [record] in self.database.execute(select):
                entries.append(decode(record))
        except FILE_ERRORS:
            entries.append(None)
        return entries

    def modified_at(self) -> int:
        paths = self.path.parent.glob(f"{self.path.name}*")
        return max((path.stat().st_mtime_ns for path in paths), default=0)

    def commit(self, records: Mapping[int, str], removals: Sequence[int]) -> None:
        """Writes and syncs the changes. Without records, row 0 is written, so that the disk is tested."""
        self.commits += 1
        rows = [f'"{id}":{record}' for id, record in records.items()] or [f'"0":{self.commits}']
        changes = "{" + ",".join(rows) + "}", json.dumps(removals)
        self.database.execute("insert into commits values (?, ?)", changes)

    def remove(self) -> None:
        """Unlinks the files before the lock ends, the database last: a crash leaves no WAL alone."""
        with suppress(OSError):
            for suffix in ("-wal", ""):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        self.database.close()


def create_file(
    folder: Path, names: Iterator[str], records: Mapping[int, str], *, slots: int
) -> JournalFile:
    """Creates a file with these records and with free space for `slots` responses."""
    make_folder(folder)
    pages = slots * PAGES_PER_SLOT + SPARE_PAGES
    if shutil.disk_usage(folder).free < (2 * pages + CHECKPOINT_PAGES) * PAGE_SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    file = None
    while file is None:
        file = create_and_lock(folder / next(names))
    try:
        file.set_up(records, pages=pages)
    except BaseException:
        file.remove()
        raise
    return file


def create_and_lock(path: Path) -> JournalFile | None:
    """Returns None if another process locked the new file first. The other process removes the file."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        # A process that searches for dead processes may hold the lock for a moment.
        return JournalFile(path, lock_timeout=LOCK_TIMEOUT_SECONDS)
    except sqlite3.Error as error:
        # SQLite starts no transaction in a file that was unlinked.
        if is_locked(error) or not path.exists():
            return None
        path.unlink()
        raise


def is_locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def make_folder(folder: Path) -> None:
    for path in (folder.parent, folder):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            sync_directory(path.parent)
    if not folder.is_dir():
        reason = "The path is a file, but must be a folder: move the file away"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(folder))


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
