"""Finds and reads the files of dead processes. Every call blocks.

A file stays locked until `remove` is called, so the process that locks it first adopts it. A damaged file is
unlocked again and stays in the folder for the operator. Each process returns its readable entries once,
which is safe because the store refuses outdated entries.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from .entries import DEAD_OWNER, Recovered, RecoveredEntry, RecoveredOwner
from .files import FILE_ERRORS, JournalFile, is_locked, make_folder

log = logging.getLogger(__name__)

NAME = re.compile(r"[0-9a-f]{32}(-\d+)?\.db")


class DeadFiles:
    def __init__(self, folder: Path, *, own_id: str = "") -> None:
        """The names of this process's own files begin with `own_id`. These files are never adopted."""
        self._folder = folder
        self._own_id = own_id
        self.locked: list[JournalFile] = []
        """Files whose entries were read, and that are not removed yet."""
        self._damaged: set[Path] = set()
        self._skipped: dict[Path, str] = {}

    @property
    def count(self) -> int:
        """The number of files of dead processes that are still in the folder."""
        return len(self.locked) + len(self._damaged) + len(self._skipped)

    def read(self, ids: Iterator[int]) -> Recovered:
        """Locks the files of processes that have died, and gives each of their entries a new id."""
        entries, owners = [], []
        for file in self.lock():
            found = file.read()
            for entry_id, entry in zip(ids, filter(None, found), strict=False):
                if entry.kind == DEAD_OWNER:
                    owners.append(RecoveredOwner(entry_id, entry.fields["owner_id"]))
                else:
                    entries.append(RecoveredEntry(entry_id, entry))
            if None in found:
                log.warning("damaged journal file not removed path=%s", file.path)
                self._damaged.add(file.path)
                file.close()
            else:
                self.locked.append(file)
        return Recovered(tuple(entries), tuple(owners))

    def lock(self) -> list[JournalFile]:
        """Returns the newly locked files, oldest first. Removes empty files."""
        make_folder(self._folder)
        paths = {path for path in self._folder.iterdir() if NAME.fullmatch(path.name)}
        self._damaged &= paths
        skipped: dict[Path, str] = {}
        files = []
        for path in paths - self._damaged - {file.path for file in self.locked}:
            if self._own_id and path.name.startswith(self._own_id):
                continue
            try:
                file = _lock(path)
            except FILE_ERRORS as error:
                if not is_locked(error) and path.exists():
                    skipped[path] = str(error)
                continue
            if file is not None:
                files.append(file)
        self._remember_skipped(skipped)
        return sorted(files, key=JournalFile.modified_at)

    def _remember_skipped(self, skipped: dict[Path, str]) -> None:
        """Logs each error once, because the search is repeated every few seconds."""
        for path, error in skipped.items():
            if self._skipped.get(path) != error:
                log.warning("journal file skipped path=%s error=%s", path, error)
        self._skipped = skipped

    def remove(self) -> None:
        while self.locked:
            self.locked.pop().remove()

    def close(self) -> None:
        while self.locked:
            self.locked.pop().close()


def _lock(path: Path) -> JournalFile | None:
    """Returns None if the file was empty: it is removed."""
    # A file that was truncated has a WAL, which SQLite deletes when it opens the file.
    has_wal = Path(f"{path}-wal").exists()
    file = JournalFile(path)
    try:
        is_empty = path.stat().st_size == 0 and not has_wal
    except FILE_ERRORS:
        file.close()
        raise
    if not is_empty:
        return file
    # If a process is creating this file, `create_and_lock` returns None there.
    file.remove()
    return None
