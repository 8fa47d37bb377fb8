"""Commits in groups: callers on the event loop wait for the next commit, which a thread makes."""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from connector.errors import JournalUnwritable

from .entries import Entry, RecoveredEntry, RecoveredOwner, encode
from .files import DEAD_OWNER, MIN_FREE_RESPONSES, JournalFiles

log = logging.getLogger(__name__)

T = TypeVar("T")
Future = asyncio.Future[None]
DiskError = OSError | sqlite3.Error | UnicodeError

MESSAGE = (
    "The service cannot write its journal, so it does not use a code or a refresh token now. "
    "Try again later."
)
UNWRITABLE_RETRY_AFTER = 30.0
MAX_REMOVAL_DELAY = 0.05
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(eq=False)
class Reservation:
    """`marker` maps the marker's id to its record, or is empty."""

    granted: Future
    marker: dict[int, str]


@dataclass
class PendingCommit:
    entries: dict[int, Future] = field(default_factory=dict)
    reservations: list[Reservation] = field(default_factory=list)
    removals: list[int] = field(default_factory=list)


class Journal:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner_id = uuid.uuid4().hex
        """Identifies this process in the store."""
        self.write_error: str | None = None
        """A sentence for the operator, while the journal cannot be written."""
        self._records: dict[int, str] = {}
        self._files = JournalFiles(path, self.owner_id, self._records.copy)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._is_open = False
        self._last_id = 0
        self._recovered_entries: list[RecoveredEntry] = []
        self._recovered_owners: list[RecoveredOwner] = []
        self._entry_ids: set[int] = set()
        self._reservations: set[Reservation] = set()
        self._space_error: DiskError | None = None
        self._pending = PendingCommit()
        self._is_commit_requested = False
        self._commit_task: asyncio.Task[None] | None = None
        self._is_removal_scheduled = False

    @property
    def entry_count(self) -> int:
        """The number of TikTok's responses that the store does not have yet."""
        return len(self._entry_ids)

    async def open(self) -> None:
        try:
            await self._in_thread(self._recover)
        except (OSError, sqlite3.Error) as error:
            await self._in_thread(partial(self._files.close, is_empty=False))
            raise self._unwritable(error) from error
        self._is_open = True

    def _recover(self) -> None:
        for entry in self._files.recover():
            entry_id = self._add(encode(entry))
            if entry.kind == DEAD_OWNER:
                owner = RecoveredOwner(entry_id, entry.fields["owner_id"])
                self._recovered_owners.append(owner)
            else:
                self._entry_ids.add(entry_id)
                self._recovered_entries.append(RecoveredEntry(entry_id, entry))
        try:
            self._files.reserve(MIN_FREE_RESPONSES)
        except (OSError, sqlite3.Error) as error:
            # On a full disk recovered entries can still be used. SQLite hides the cause of a failed write.
            if isinstance(error, OSError) and error.errno not in DISK_FULL_ERRNOS:
                raise
            self._unwritable(error)

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
        marker_id = self._next_id()
        granted = asyncio.get_running_loop().create_future()
        reservation = Reservation(granted, {marker_id: encode(marker)} if marker else {})
        self._request_commit()
        self._pending.reservations.append(reservation)
        try:
            await granted
            yield
        finally:
            self._reservations.discard(reservation)
            if marker is not None:
                await self.remove(marker_id)
            if self._is_open and self._pending.reservations:
                self._request_commit()

    async def append(self, entry: Entry) -> int:
        record = encode(entry)
        self._request_commit()
        entry_id = self._add(record)
        self._entry_ids.add(entry_id)
        written = self._pending.entries[entry_id] = asyncio.get_running_loop().create_future()
        await written
        return entry_id

    async def remove(self, entry_id: int) -> None:
        """Writes the removal with the next commit, or after `MAX_REMOVAL_DELAY`."""
        if not self._is_open or self._records.pop(entry_id, None) is None:
            return
        self._entry_ids.discard(entry_id)
        self._pending.removals.append(entry_id)
        if not self._is_removal_scheduled:
            self._is_removal_scheduled = True
            asyncio.get_running_loop().call_later(MAX_REMOVAL_DELAY, self._commit_removals)

    async def close(self) -> None:
        """Must be called after all other calls have ended. Removes a file without entries."""
        if self._commit_task is not None:
            await self._commit_task
        if self._records and self._pending.removals:
            await self._request_commit()
        self._is_open = False
        await self._in_thread(partial(self._files.close, is_empty=not self._records))
        self._thread.shutdown()

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _add(self, record: str) -> int:
        entry_id = self._next_id()
        self._records[entry_id] = record
        return entry_id

    def _request_commit(self) -> asyncio.Task[None]:
        if not self._is_open:
            raise JournalUnwritable(MESSAGE, detail=f"The journal {self.path} is not open.")
        self._is_commit_requested = True
        if self._commit_task is None:
            self._commit_task = asyncio.create_task(self._commit_while_requested())
        return self._commit_task

    def _commit_removals(self) -> None:
        self._is_removal_scheduled = False
        if self._is_open and self._pending.removals:
            self._request_commit()

    async def _commit_while_requested(self) -> None:
        try:
            while self._is_commit_requested:
                self._is_commit_requested = False
                await self._commit_pending()
        finally:
            self._commit_task = None

    async def _commit_pending(self) -> None:
        pending, self._pending = self._pending, PendingCommit()
        granted = await self._grant(pending.reservations)
        ids = [*pending.entries, *(id for reservation in granted for id in reservation.marker)]
        records = {id: self._records[id] for id in ids if id in self._records}
        error = await self._attempt(partial(self._files.commit, records, pending.removals))
        if error is not None:
            for entry_id in records:
                self._records.pop(entry_id, None)
                self._entry_ids.discard(entry_id)
            self._pending.removals += pending.removals
        self._resolve(pending.entries.values(), error)
        self._resolve([reservation.granted for reservation in granted], error)

    async def _grant(self, waiting: list[Reservation]) -> list[Reservation]:
        """Returns the reservations that get space. The rest wait until a reservation ends, or fail."""
        error, required = None, len(self._reservations) + len(waiting)
        if waiting and self._files.free_responses < required:
            error = await self._attempt(partial(self._files.reserve, required))
            if error is not None and self._space_error is None:
                log.warning("journal cannot grow path=%s error=%s", self.path, error)
            self._space_error = error
        waiting = [reservation for reservation in waiting if not reservation.granted.done()]
        free = max(0, self._files.free_responses - len(self._reservations))
        granted, still_waiting = waiting[:free], waiting[free:]
        self._reservations.update(granted)
        for reservation in granted:
            self._records.update(reservation.marker)
        if self._reservations:
            self._pending.reservations[:0] = still_waiting
        else:
            self._resolve([reservation.granted for reservation in still_waiting], error)
        return granted

    def _resolve(self, futures: Iterable[Future], error: DiskError | None) -> None:
        for future in futures:
            if future.done():
                continue
            if error is not None:
                future.set_exception(self._unwritable(error))
                continue
            future.set_result(None)
            if self.write_error is not None:
                log.info("journal writable again path=%s", self.path)
                self.write_error = None

    def _unwritable(self, error: DiskError) -> JournalUnwritable:
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{error.strerror} ({error.filename})"
        sentence = f"The journal {self.path} cannot be written: {reason}."
        if self.write_error != sentence:
            log.error("journal unwritable path=%s error=%s", self.path, reason)
            self.write_error = sentence
        return JournalUnwritable(MESSAGE, detail=sentence, retry_after=UNWRITABLE_RETRY_AFTER)

    async def _attempt(self, step: Callable[[], None]) -> DiskError | None:
        try:
            await self._in_thread(step)
        except (OSError, sqlite3.Error, UnicodeError) as error:
            return error
        return None

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)
