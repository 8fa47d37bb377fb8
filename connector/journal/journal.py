"""Callers wait on the event loop, and a thread writes the changes of all callers in one commit.

The free space of the file always suffices for the responses of all reservations. Half of the free space is
for reservations, and the other half for entries that the store has not saved. If one half is used up, a
new file with more space replaces the file. If the disk has no space, further reservations wait (first
half) or are refused (second half).
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

from .commit import PendingCommit, unwritable
from .dead_files import DeadFiles
from .entries import Entry, Recovered, encode
from .files import FILE_ERRORS, SLOT_BYTES, JournalFile, create_file

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_REMOVAL_DELAY = 0.05
INITIAL_RESERVATIONS, MAX_RESERVATIONS = 32, 1024
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
        self._dead_files = DeadFiles(path, own_id=self.owner_id)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._is_open = False
        self._keeps_file = False
        self._ids = itertools.count(1)
        self._records: dict[int, str] = {}
        """All records that the file contains after the next commit."""
        self.recovered = Recovered()
        """What `open` has found. An entry or owner is found at each start until it is removed."""
        self._entry_ids: set[int] = set()
        self._slots: dict[int, int] = {}
        """The space of the entries that were appended to the current file."""
        self._max_reservations = INITIAL_RESERVATIONS
        """The file has space for so many reservations, and for as many unsaved entries."""
        self._permits = INITIAL_RESERVATIONS
        self._reservations = asyncio.Semaphore(INITIAL_RESERVATIONS)
        self._growth_lock = asyncio.Lock()
        self._is_growth_refused = False
        self._pending = PendingCommit()
        self._writer: asyncio.Task[None] | None = None
        self._removal_timer: asyncio.TimerHandle | None = None

    @property
    def orphan_count(self) -> int:
        """The number of files of dead processes that are not adopted, for example damaged files."""
        return self._dead_files.count

    @property
    def entry_count(self) -> int:
        """The number of entries that are not removed: TikTok's responses, and markers of dead processes."""
        return len(self._entry_ids)

    async def open(self) -> None:
        try:
            self.recovered = await self._in_thread(self._adopt)
        except FILE_ERRORS as error:
            await self._in_thread(self._close_files)
            raise unwritable(self._record_error(error)) from error
        self._is_open = True

    async def adopt_dead_files(self) -> Recovered:
        """Does the same as `open`, for processes that have died since then. Must not be cancelled, because
        each entry is returned only once."""
        self._require_open()
        try:
            return await self._in_thread(self._adopt)
        except FILE_ERRORS as error:
            raise unwritable(self._record_error(error)) from error

    def _adopt(self) -> Recovered:
        recovered = self._dead_files.read(self._ids)
        self._records.update(recovered.records())
        self._entry_ids.update(entry.entry_id for entry in recovered.entries)
        if not self._is_open or recovered.owners or self._dead_files.locked:
            try:
                self._replace_file()
            except FILE_ERRORS as error:
                # On a full disk recovered entries can still be used. SQLite does not tell if the disk is full.
                is_full = not isinstance(error, OSError) or error.errno in DISK_FULL_ERRNOS
                if not self._is_open and not is_full:
                    raise
                self._record_error(error)
        return recovered

    @asynccontextmanager
    async def reserve(self, marker: Entry | None = None) -> AsyncIterator[None]:
        """Reserves space for one response, which the caller appends inside the block.

        Waits while other reservations use all the space. Raises if the disk cannot be written or unsaved
        entries use the space. The marker, a small entry, is in the journal during the block.
        """
        self._require_open()
        if self._reservations.locked() and self._max_reservations < MAX_RESERVATIONS:
            self._log_refused_growth(await self._grow(self._reservations.locked))
        async with self._reservations:
            if (
                self._entry_space_is_used_up()
                and (error := await self._grow(self._entry_space_is_used_up)) is not None
            ):
                raise unwritable(self._record_error(error))
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

    def keep_file(self) -> None:
        """Lets `close` keep the file, so that the next process recovers the owner id and ends its leases."""
        self._keeps_file = True

    async def close(self) -> None:
        """Must be called after all other calls have ended. Removes the file if it has no records."""
        if self._records and self._pending.removals:
            self._request_commit()
        if self._writer is not None:
            await asyncio.shield(self._writer)
        self._is_open = False
        await self._in_thread(self._close_files)
        self._thread.shutdown()

    def _require_open(self) -> None:
        if not self._is_open:
            raise unwritable(f"The journal {self.path} is not open.")

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
            raise unwritable(commit.error)

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
        try:
            while self._pending.is_requested:
                commit, self._pending = self._pending, PendingCommit()
                await self._write_commit(commit)
        finally:
            self._writer = None

    async def _write_commit(self, commit: PendingCommit) -> None:
        records = {id: self._records[id] for id in commit.ids if id in self._records}
        try:
            file = await self._in_thread(partial(self._write, records, commit.removals))
            # In the thread, `stat` would wait for Python's lock once more.
            if not file.path.exists():
                await self._in_thread(partial(self._replace_missing, file))
        except Exception as error:  # Also an unexpected error must not leave callers waiting.
            for entry_id in records:
                self._records.pop(entry_id, None)
                self._forget(entry_id)
            # A new file that was created meanwhile may contain the records.
            self._pending.removals += [*commit.removals, *records]
            commit.error = self._record_error(error)
        else:
            commit.error = None
            if self.write_error is not None:
                log.info("journal writable again path=%s", self.path)
                self.write_error = None
        finally:
            commit.is_done.set()

    def _entry_space_is_used_up(self) -> bool:
        return sum(self._slots.values()) >= self._max_reservations

    async def _grow(self, is_needed: Callable[[], bool]) -> Exception | None:
        """Replaces the file by a file with more space. Returns the error if the disk has no space."""
        async with self._growth_lock:
            if not is_needed():  # Space became free while this call waited for the lock.
                return None
            larger = min(2 * self._max_reservations, MAX_RESERVATIONS)
            try:
                await self._in_thread(partial(self._replace_file, larger))
            except FILE_ERRORS as error:
                return error
            while self._permits < self._max_reservations:
                self._permits += 1
                self._reservations.release()
            return None

    def _log_refused_growth(self, error: Exception | None) -> None:
        if error is not None and not self._is_growth_refused:
            log.warning("journal cannot grow path=%s error=%s", self.path, error)
        self._is_growth_refused = error is not None

    def _write(self, records: Mapping[int, str], removals: Sequence[int]) -> JournalFile:
        """Returns the file that contains the changes: a new file if the file cannot be written."""
        if self._file is not None:
            with suppress(*FILE_ERRORS):
                self._file.commit(records, removals)
                return self._file
        return self._replace_file()

    def _replace_missing(self, file: JournalFile) -> None:
        if self._file is file:  # Otherwise a growth has replaced the file.
            self._replace_file()

    def _replace_file(self, max_reservations: int = 0) -> JournalFile:
        records = dict(self._records)
        # Changed in the thread, so that the next replacement is not smaller.
        larger = max(max_reservations, self._max_reservations)
        new = create_file(self.path, self._names, records, slots=2 * larger)
        old, self._file, self._max_reservations = self._file, new, larger
        for entry_id in records:
            self._slots.pop(entry_id, None)
        self._dead_files.remove()
        if old is not None:
            old.remove()
        return new

    def _close_files(self) -> None:
        if self._records:
            self._dead_files.close()
        self._dead_files.remove()
        if self._file is not None:
            is_needed = self._records or self._keeps_file
            self._file.close() if is_needed else self._file.remove()

    def _record_error(self, error: Exception) -> str:
        """Logs an error unless it is the last logged error, and returns a sentence for the operator."""
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{error.strerror} ({error.filename})"
        sentence = f"The journal {self.path} cannot be written: {reason}."
        if self.write_error != sentence:
            log.error("journal unwritable path=%s error=%s", self.path, reason)
            self.write_error = sentence
        return sentence

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)
