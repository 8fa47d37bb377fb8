"""Manages the SQLite files of this process and of dead processes. Every call blocks.

The name of a file is the owner id of the process that created the file. No name is used twice, so a
path that exists still names the same file. SQLite uses POSIX locks: the kernel drops them when the
process ends, but also when the process closes any other descriptor of the same file. Therefore
only SQLite opens these files.

A response with a reservation never needs a new disk block:

- The database is filled and emptied once, and cannot grow after that. If more space is needed, a
  larger file is created, all entries are copied, and then the old file is removed.
- The WAL has space for every page of the database and for all pages before a checkpoint. One
  transaction writes a page only once, and after a checkpoint SQLite overwrites the WAL.
"""

from __future__ import annotations

import errno
import itertools
import json
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .entries import Entry, decode

log = logging.getLogger(__name__)

NAME = re.compile(r"([0-9a-f]{32})(-\d+)?\.db")
DEAD_OWNER = "dead owner"
"""The kind of an entry that holds the owner id of a dead process."""

SCHEMA = """
begin;
create table entries (id integer primary key, record text not null);
create view commits as select null as records, null as removals;
create trigger commit_both instead of insert on commits begin
  insert or replace into entries select cast(key as integer), value from json_each(new.records);
  delete from entries where id in (select value from json_each(new.removals));
end;
commit;
"""
"""A commit is one statement, because the thread must wait for Python's lock after each statement."""

PAGE_SIZE = 4096
RESERVED_BYTES_PER_RESPONSE = 8 * 1024
"""Encrypted tokens have one or two KiB. A larger response is written only if spare space exists."""
PAGES_PER_RESPONSE = 3
SPARE_PAGES = 16
MIN_FREE_RESPONSES = 32
CHECKPOINT_PAGES = 1000
LOCK_TIMEOUT_SECONDS = 1.0

FILE_ERRORS = (OSError, sqlite3.Error, UnicodeError)
"""The last one is raised if SQLite's error message quotes a damaged file."""


class JournalFile:
    """One locked file. Raises `SQLITE_BUSY` while another connection has the lock."""

    def __init__(self, path: Path, *, lock_timeout: float = 0) -> None:
        self.path = path
        self.free_responses = 0
        """The file has space for at least this number of further responses."""
        self._all_responses = 0
        self._commits = 0
        uri = path.absolute().as_uri() + "?mode=rw"
        self._connection = sqlite3.connect(
            uri, uri=True, timeout=lock_timeout, isolation_level=None
        )
        self._connection.text_factory = bytes
        self._execute = self._connection.execute
        try:
            self._execute("pragma locking_mode = exclusive")
            self._execute("begin exclusive")
            self._execute("rollback")
        except FILE_ERRORS:
            self.close()
            raise

    def set_up(self, records: Mapping[int, str], *, pages: int) -> None:
        """Writes the records, and allocates the disk blocks of `pages` free pages."""
        for pragma in (f"page_size = {PAGE_SIZE}", "temp_store = memory", "secure_delete = off"):
            self._execute(f"pragma {pragma}").fetchall()
        [mode] = self._execute("pragma journal_mode = wal").fetchone()
        if mode != b"wal":
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), str(self.path))
        self._execute("pragma synchronous = normal")  # The checkpoint below syncs all of it.
        self._execute("pragma wal_autocheckpoint = 0").fetchall()
        self._connection.executescript(SCHEMA)
        self.commit(records, [])
        wal_pages = pages + CHECKPOINT_PAGES
        for start in range(0, wal_pages, pages):
            size = min(pages, wal_pages - start) * PAGE_SIZE
            self._execute("insert into entries values (-1, zeroblob(?))", [size])
            self._execute("delete from entries where id = -1")
        self._execute("pragma wal_checkpoint").fetchall()
        self._execute("pragma synchronous = full")
        self._execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
        [page_count] = self._execute("pragma page_count").fetchone()
        self._execute(f"pragma max_page_count = {page_count}").fetchall()
        self.measure()
        self._all_responses = self.free_responses
        sync_directory(self.path.parent)

    def measure(self) -> None:
        [pages] = self._execute("pragma freelist_count").fetchone()
        self.free_responses = (pages - SPARE_PAGES) // PAGES_PER_RESPONSE

    def is_blank(self) -> bool:
        """Returns True before `set_up`. A file that is empty because it was truncated is not blank."""
        with suppress(*FILE_ERRORS):
            tables = self._execute("select 1 from sqlite_master").fetchall()
            return not tables and self.path.stat().st_size in (0, PAGE_SIZE)
        return False

    def read(self) -> list[Entry | None]:
        """Returns the owner id of the file and its entries, oldest first. None means damage."""
        entries: list[Entry | None] = [Entry(DEAD_OWNER, {"owner_id": self.path.name[:32]})]
        try:
            for [record] in self._execute("select record from entries where id > 0 order by id"):
                entries.append(decode(record))
        except FILE_ERRORS:
            entries.append(None)
        return entries

    def modified_at(self) -> int:
        paths = [self.path, Path(f"{self.path}-wal")]
        return max(path.stat().st_mtime_ns for path in paths if path.exists())

    def commit(self, records: Mapping[int, str], removals: Sequence[int]) -> None:
        """Writes and syncs the changes. Without changes it also writes, to test the disk."""
        self._commits += 1
        rows = [f'"{id}":{record}' for id, record in records.items()]
        text = ",".join(rows) or f'"0":{self._commits}'
        self._execute("insert into commits values (?, ?)", (f"{{{text}}}", json.dumps(removals)))
        self.free_responses -= sum([1 + len(row) // RESERVED_BYTES_PER_RESPONSE for row in rows])
        if self.free_responses < self._all_responses // 2:
            self.measure()
        if not self.path.exists():
            reason = "The file was moved or removed while in use"
            raise FileNotFoundError(errno.ENOENT, reason, str(self.path))

    def remove(self) -> None:
        """Unlinks the files before the lock ends, the database last: a crash leaves no WAL alone."""
        with suppress(OSError):
            for suffix in ("-wal", "-journal", ""):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        self._connection.close()


class JournalFiles:
    def __init__(
        self, folder: Path, owner_id: str, records: Callable[[], Mapping[int, str]]
    ) -> None:
        """`records` returns all records that a new file must contain. A thread calls `records`."""
        self._folder = folder
        suffixes = itertools.chain([""], map("-{}".format, itertools.count(2)))
        self._paths = (folder / f"{owner_id}{suffix}.db" for suffix in suffixes)
        self._records = records
        self._responses = MIN_FREE_RESPONSES
        self._own: JournalFile | None = None
        self._orphans: list[JournalFile] = []

    @property
    def free_responses(self) -> int:
        return self._own.free_responses if self._own else 0

    def recover(self) -> list[Entry]:
        """Locks and reads the files of dead processes. `_start_file` removes them later."""
        make_folder(self._folder)
        recovered: list[Entry] = []
        for file in sorted(self._lock_orphans(), key=JournalFile.modified_at):
            entries = file.read()
            recovered += [entry for entry in entries if entry is not None]
            if None in entries:
                log.warning("damaged journal file not removed path=%s", file.path)
                file.close()
            else:
                self._orphans.append(file)
        return recovered

    def _lock_orphans(self) -> Iterator[JournalFile]:
        for path in [path for path in self._folder.iterdir() if NAME.fullmatch(path.name)]:
            try:
                file = JournalFile(path)
                if not file.is_blank():
                    yield file
                else:  # If a process is creating this file, it notices the removal and uses another name.
                    file.remove()
            except FILE_ERRORS as error:
                if not is_locked(error) and path.exists():
                    log.warning("journal file skipped path=%s error=%s", path, error)

    def reserve(self, responses: int) -> None:
        """Makes space for this number of responses. If the disk is full, the space stays as it is."""
        if self._own is not None:
            self._own.measure()
        if self.free_responses < responses:
            self._start_file(responses * 5 // 4 + MIN_FREE_RESPONSES)

    def commit(self, records: Mapping[int, str], removals: Sequence[int]) -> None:
        """Writes to the file of this process. If this fails, all records are written to a new file."""
        if self._own is not None:
            with suppress(OSError, sqlite3.Error):
                self._own.commit(records, removals)
                return
        self._start_file(self._responses)

    def _start_file(self, responses: int) -> None:
        make_folder(self._folder)
        pages = responses * PAGES_PER_RESPONSE + SPARE_PAGES
        if shutil.disk_usage(self._folder).free < (2 * pages + CHECKPOINT_PAGES) * PAGE_SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        new = None
        while new is None:
            new = create(next(self._paths))
        try:
            new.set_up(self._records(), pages=pages)
        except BaseException:
            new.remove()
            raise
        old = [*self._orphans, self._own]
        self._own, self._orphans, self._responses = new, [], responses
        for file in filter(None, old):
            file.remove()

    def close(self, *, is_empty: bool) -> None:
        for file in filter(None, [*self._orphans, self._own]):
            file.remove() if is_empty else file.close()
        self._own, self._orphans = None, []


def create(path: Path) -> JournalFile | None:
    """Returns None if another process locked and removed the new file as an orphan."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
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
