"""Commits in groups: callers on the event loop wait for the next commit, which a thread writes.

The free space of the file always suffices for the responses of all reservations. Half of the free space is
for reservations, and the other half for entries that the store has not saved. If one half is used up, a
larger file replaces the file before another reservation is granted.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import math
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from connector.errors import JournalUnwritable

from .entries import DEAD_OWNER, Entry, RecoveredEntry, RecoveredOwner, encode
from .files import (
    FILE_ERRORS,
    SLOT_BYTES,
    JournalFile,
    create_file,
    lock_dead_files,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

MESSAGE = (
    "The service cannot write its journal, so it does not use a code or a refresh token now. "
    "Try again later."
)
RETRY_AFTER_SECONDS = 30.0
MAX_REMOVAL_DELAY = 0.05
MIN_RESERVATIONS, MAX_RESERVATIONS = 32, 1024
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class PendingCommit:
    def __init__(self) -> None:
        self.ids: list[int] = []
        """The new records."""
        self.removals: list[int] = []
        self.is_requested = False
        self.is_done = asyncio.Event()
        self.error: str | None = None
        """Set if the commit failed. Then none of the changes is on the disk."""


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner_id = uuid.uuid4().hex
        """Identifies this process in the store."""
        self.write_error: str | None = None
        """A sentence for the operator, while the journal cannot be written."""
        suffixes = itertools.chain([""], map("-{}".format, itertools.count(2)))
        self._names = (f"{self.owner_id}{suffix}.db" for suffix in suffixes)
        self._file: JournalFile | None = None
        self._dead_files: list[JournalFile] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._is_open = False
        self._ids = itertools.count(1)
        self._records: dict[int, str] = {}
        """All records that the file contains after the next commit."""
        self._recovered_entries: list[RecoveredEntry] = []
        self._recovered_owners: list[RecoveredOwner] = []
        self._entry_ids: set[int] = set()
        self._slots: dict[int, int] = {}
        """The space of the entries that were appended to the current file."""
        self._max_reservations = MIN_RESERVATIONS
        self._reservations = asyncio.Semaphore(MIN_RESERVATIONS)
        self._growth_lock = asyncio.Lock()
        self._is_growth_refused = False
        self._pending = PendingCommit()
        self._writer: asyncio.Task[None] | None = None
        self._removal_timer: asyncio.TimerHandle | None = None

    @property
    def entry_count(self) -> int:
        """The number of TikTok's responses that the store does not have yet."""
        return len(self._entry_ids)

    async def open(self) -> None:
        try:
            await self._in_thread(self._recover)
        except FILE_ERRORS as error:
            await self._in_thread(self._close_files)
            raise self._unwritable(self._note_error(error)) from error
        self._is_open = True

    def _recover(self) -> None:
        for file in lock_dead_files(self.path):
            entries = file.read()
            for entry in filter(None, entries):
                entry_id = next(self._ids)
                self._records[entry_id] = encode(entry)
                if entry.kind == DEAD_OWNER:
                    owner = RecoveredOwner(entry_id, entry.fields["owner_id"])
                    self._recovered_owners.append(owner)
                else:
                    self._entry_ids.add(entry_id)
                    self._recovered_entries.append(RecoveredEntry(entry_id, entry))
            if None in entries:
                log.warning("damaged journal file not removed path=%s", file.path)
                file.close()
            else:
                self._dead_files.append(file)
        try:
            self._replace_file()
        except FILE_ERRORS as error:
            # On a full disk recovered entries can still be used. SQLite hides the cause of a failed write.
            if isinstance(error, OSError) and error.errno not in DISK_FULL_ERRNOS:
                raise
            self._note_error(error)

    def recovered_entries(self) -> list[RecoveredEntry]:
        """Returns the entries of dead processes, oldest first. An entry stays until it is removed."""
        return list(self._recovered_entries)

    def recovered_owners(self) -> list[RecoveredOwner]:
        """Returns the dead processes. An owner is returned after each start until it is removed."""
        return list(self._recovered_owners)

    @asynccontextmanager
    async def reserve(self, marker: Entry | None = None) -> AsyncIterator[None]:
        """Reserves space for one response, which the caller appends inside the block.

        Waits while other reservations use all the space. The marker is in the journal during the block.
        """
        self._require_open()
        if self._reservations.locked() and self._max_reservations < MAX_RESERVATIONS:
            self._log_growth(await self._grow(self._reservations.locked))
        async with self._reservations:
            if self._is_full() and (error := await self._grow(self._is_full)) is not None:
                raise self._unwritable(self._note_error(error))
            marker_id = self._add(encode(marker)) if marker else None
            try:
                await self._commit()
                yield
            finally:
                if marker_id is not None:
                    await self.remove(marker_id)

    async def append(self, entry: Entry) -> int:
        self._require_open()
        record = encode(entry)
        entry_id = self._add(record)
        self._entry_ids.add(entry_id)
        self._slots[entry_id] = math.ceil(len(record) / SLOT_BYTES)
        await self._commit()
        return entry_id

    async def remove(self, entry_id: int) -> None:
        """Writes the removal with the next commit, or after `MAX_REMOVAL_DELAY`."""
        if not self._is_open or self._records.pop(entry_id, None) is None:
            return
        self._forget(entry_id)
        self._pending.removals.append(entry_id)
        if self._removal_timer is None:
            loop = asyncio.get_running_loop()
            self._removal_timer = loop.call_later(MAX_REMOVAL_DELAY, self._commit_removals)

    async def close(self) -> None:
        """Must be called after all other calls have ended. Removes a file without entries."""
        if self._records and self._pending.removals:
            self._request_commit()
        if self._writer is not None:
            await self._writer
        self._is_open = False
        await self._in_thread(self._close_files)
        self._thread.shutdown()

    def _require_open(self) -> None:
        if not self._is_open:
            raise JournalUnwritable(MESSAGE, detail=f"The journal {self.path} is not open.")

    def _add(self, record: str) -> int:
        entry_id = next(self._ids)
        self._records[entry_id] = record
        self._pending.ids.append(entry_id)
        return entry_id

    def _forget(self, entry_id: int) -> None:
        self._entry_ids.discard(entry_id)
        self._slots.pop(entry_id, None)

    async def _commit(self) -> None:
        """Waits until the changes so far are on the disk."""
        commit = self._request_commit()
        await commit.is_done.wait()
        if commit.error is not None:
            raise self._unwritable(commit.error)

    def _request_commit(self) -> PendingCommit:
        self._pending.is_requested = True
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_commits())
        return self._pending

    def _commit_removals(self) -> None:
        self._removal_timer = None
        if self._is_open and self._pending.removals:
            self._request_commit()

    async def _write_commits(self) -> None:
        while self._pending.is_requested:
            commit, self._pending = self._pending, PendingCommit()
            records = {id: self._records[id] for id in commit.ids if id in self._records}
            try:
                await self._in_thread(partial(self._write, records, commit.removals))
                # Checked here, because the thread would have to wait for Python's lock once more.
                if self._file is None or not self._file.path.exists():
                    await self._in_thread(self._replace_file)
            except FILE_ERRORS as error:
                for entry_id in records:
                    self._records.pop(entry_id, None)
                    self._forget(entry_id)
                self._pending.removals += commit.removals
                commit.error = self._note_error(error)
            else:
                if self.write_error is not None:
                    log.info("journal writable again path=%s", self.path)
                    self.write_error = None
            commit.is_done.set()
        self._writer = None

    def _is_full(self) -> bool:
        return sum(self._slots.values()) >= self._max_reservations

    async def _grow(self, is_needed: Callable[[], bool]) -> Exception | None:
        """Moves to a larger file. Returns the error if the disk does not accept the file."""
        async with self._growth_lock:
            if not is_needed():  # Another reservation has made space.
                return None
            larger = min(2 * self._max_reservations, MAX_RESERVATIONS)
            try:
                await self._in_thread(partial(self._replace_file, larger))
            except FILE_ERRORS as error:
                return error
            for _ in range(larger - self._max_reservations):
                self._reservations.release()
            self._max_reservations = larger
            return None

    def _log_growth(self, error: Exception | None) -> None:
        if error is not None and not self._is_growth_refused:
            log.warning("journal cannot grow path=%s error=%s", self.path, error)
        self._is_growth_refused = error is not None

    def _write(self, records: Mapping[int, str], removals: Sequence[int]) -> None:
        """If the file cannot be written, a new file with all records replaces the file."""
        if self._file is not None:
            with suppress(*FILE_ERRORS):
                self._file.commit(records, removals)
                return
        self._replace_file()

    def _replace_file(self, max_reservations: int | None = None) -> None:
        records = dict(self._records)
        slots = 2 * (max_reservations or self._max_reservations)
        new = create_file(self.path, self._names, records, slots=slots)
        old = [*self._dead_files, self._file]
        self._file, self._dead_files = new, []
        for entry_id in records:
            self._slots.pop(entry_id, None)
        for file in filter(None, old):
            file.remove()

    def _close_files(self) -> None:
        for file in filter(None, [*self._dead_files, self._file]):
            file.close() if self._records else file.remove()

    def _note_error(self, error: Exception) -> str:
        """Logs an error unless it is the last logged error, and returns a sentence for the operator."""
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{error.strerror} ({error.filename})"
        sentence = f"The journal {self.path} cannot be written: {reason}."
        if self.write_error != sentence:
            log.error("journal unwritable path=%s error=%s", self.path, reason)
            self.write_error = sentence
        return sentence

    def _unwritable(self, sentence: str) -> JournalUnwritable:
        return JournalUnwritable(MESSAGE, detail=sentence, retry_after=RETRY_AFTER_SECONDS)

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)
