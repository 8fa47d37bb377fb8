"""This process's own slot and those it found orphaned, handled as one. Everything here blocks.

Orphans are only ever read. What was live in them comes along with the next rewrite of our own slot,
and after that, not before, they are removed; a crash in between leaves an entry in two places,
which a replay survives.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import lines
from .slot import Slot, first_free, make_directory, orphans

log = logging.getLogger(__name__)

DEAD_WEIGHT = 1024 * 1024
"""How far a file may outgrow what is live in it before it is rewritten."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Left:
    """What dead processes left, oldest first. A ticket above `last` stands in none of the files."""

    entries: list[lines.Entry]
    holders: list[str]
    last: int


class Shelf:
    def __init__(self, path: Path, live: Callable[[], bytes]) -> None:
        """`live` answers, from any thread, all records that a rewrite has to bring along."""
        self._path = path
        self._live = live
        self._own: Slot | None = None
        self._orphans: list[Slot] = []
        self._owed = 0
        self._limit = DEAD_WEIGHT

    def take(self) -> Left:
        make_directory(self._path.parent)
        self._own = first_free(self._path)
        self._orphans = list(orphans(self._path))
        entries: list[lines.Entry] = []
        holders: list[str] = []
        last = 0
        for slot in sorted([self._own, *self._orphans], key=Slot.written_at):
            reading = self._read(slot)
            entries += reading.live.values()
            holders += reading.holders.values()
            last = max(last, reading.last)
        return Left(entries, holders, last)

    def settle_in(self) -> OSError | None:
        """Into a fresh file of our own. A full disk is answered, not raised: reading still goes."""
        failure = _attempt(self.rewrite)
        if failure and failure.errno not in FULL:
            raise failure
        return failure

    def commit(
        self, entries: bytes, *, notes: bytes, cleared: bytes, owed: int, asked: bool
    ) -> tuple[OSError | None, OSError | None]:
        """What kept the entries from being written, and what the room owed from being proven."""
        self._owed = owed
        lost = refused = None
        records = entries
        # Neither at the cost of room that was promised. A claim whose note finds none is refused, and an
        # entry that comes back does no harm.
        crowded = notes and _attempt(lambda: self.own.secure(owed + len(records + notes)))
        if not crowded:
            records += notes
        if cleared and not _attempt(lambda: self.own.secure(owed + len(records + cleared))):
            records += cleared
        if records:
            lost = self._surely(lambda: self.own.append(records))
        if asked:
            proof = lost if records else self._surely(lambda: self.own.prove())
            refused = proof or crowded or _attempt(lambda: self.own.secure(owed))
        return lost, refused

    @property
    def is_overgrown(self) -> bool:
        return self.own.used > self._limit

    def compact(self) -> None:
        """If it fails, the file goes on growing for a while before it is tried again."""
        if failure := _attempt(self.rewrite):
            log.warning("put off compacting path=%s reason=%s", self.own.path, failure.strerror)
            self._limit = self.own.used + DEAD_WEIGHT

    def rewrite(self) -> None:
        if not self.own.is_in_place():
            # Somebody took the file away. The path may be another process's by now.
            gone, self._own = self.own, first_free(self._path, flags=os.O_CREAT | os.O_EXCL)
            gone.close()
        live = self._live()
        self.own.rewrite(live, room=self._owed)
        self._limit = DEAD_WEIGHT + 2 * len(live)
        while self._orphans:
            self._orphans.pop().remove()

    def leave(self, *, empty: bool) -> None:
        for slot in [*self._orphans, self._own]:
            if slot:
                slot.remove() if empty else slot.close()
        self._own, self._orphans = None, []

    @property
    def own(self) -> Slot:
        if self._own is None:
            raise OSError(errno.EBADF, "It is not open")
        return self._own

    def _read(self, slot: Slot) -> lines.Reading:
        try:
            reading = slot.load()
        except OSError as error:
            if slot is self._own:
                raise
            log.warning("passed over path=%s reason=%s", slot.path, error.strerror)
            self._orphans.remove(slot)
            slot.close()
            return lines.read(b"")
        if reading.damaged:
            log.warning("dropped damaged lines path=%s lines=%d", slot.path, reading.damaged)
        return reading

    def _surely(self, in_place: Callable[[], None]) -> OSError | None:
        """In place, else in a fresh file; the other way round once the place has failed."""
        first, second = in_place, self.rewrite
        if not self.own.sound:
            first, second = second, first
        return _attempt(first) and _attempt(second)


def _attempt(step: Callable[[], None]) -> OSError | None:
    try:
        step()
    except OSError as error:
        return error
    return None
