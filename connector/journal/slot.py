"""One journal file on disk, locked for the life of this process. Everything here blocks.

Room is made by writing zeros, not by `fallocate`: it works on every file system, it meets a full
disk here rather than in the middle of an answer, and later syncs write data alone, because the
size of the file no longer changes.

A file is never cut short or written over. Getting rid of what was cleared means a new file with
what is still live, synced, locked and only then renamed over the old one: at every moment the path
names either the whole old file or the whole new one, and a record that did not come along can
never be read again.

The lock hangs on the open file, so the kernel drops it with the process, however it dies. Because
the path may have come to name another file between open and lock, a lock counts only once the path
is seen to still name the file that was locked.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from .lines import HEADING, Reading, read

CHUNK = 256 * 1024
ZEROS = bytes(CHUNK)
MODE = 0o600

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
_SYNCED = getattr(os, "RWF_DSYNC", 0)
CANNOT = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class Slot:
    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.used = 0
        self.sound = False
        """Whether appending may be trusted: not before the first rewrite, nor after a failure."""
        self._flags = _SYNCED
        self._fd = fd
        self._is = os.fstat(fd)
        self._size = self._is.st_size

    @classmethod
    def take(cls, path: Path, *, flags: int = os.O_CREAT) -> Slot | None:
        """None where a living process has it, or where the flags rule out what is or is not there."""
        while True:
            try:
                fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | flags, MODE)
            except FileExistsError:
                return None
            except FileNotFoundError:
                if flags & os.O_CREAT:
                    raise
                return None
            slot = cls(path, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                slot.close()
                return None
            if slot.is_in_place():
                return slot
            slot.close()

    def written_at(self) -> int:
        return os.fstat(self._fd).st_mtime_ns

    def is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._is, self.path.stat())
        except FileNotFoundError:
            return False

    def load(self) -> Reading:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise OSError(errno.EINVAL, "It is not a regular file")
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            data = file.read()
        reading = read(data)
        if not reading.is_journal:
            raise OSError(errno.EINVAL, "It holds something other than a journal")
        self.used, self._size = len(data.rstrip(b"\0")), len(data)
        return reading

    def append(self, records: bytes) -> None:
        """Durable when it returns. After a failure nothing moved: the next one starts here too."""
        try:
            self._write_synced(records)
            self._check_place()
        except OSError:
            self.sound = False
            raise
        self.used += len(records)
        self._size = max(self._size, self.used)

    def prove(self) -> None:
        """Nothing, as durably as a record: shows that the disk still takes a write."""
        self.append(b"\0")
        self.used -= 1

    def secure(self, room: int) -> None:
        short = self.used + room - self._size
        if short > 0:
            size = self._size + _chunks(short)
            _fill(self._fd, self._size, size)
            self._sync()
            self._size = size

    def rewrite(self, records: bytes, *, room: int) -> None:
        new = self._new()
        new.unlink(missing_ok=True)
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE)
        content = HEADING + records
        size = _chunks(len(content) + room)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(fd, content, 0)
            _fill(fd, len(content), size)
            os.fsync(fd)
            new.replace(self.path)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd, self._size, self.used, self.sound = fd, size, len(content), False
        self._is = os.fstat(fd)
        sync_directory(self.path.parent)
        self.sound = True

    def remove(self) -> None:
        """Unlinked before it is unlocked, so nobody can take it in between and lose it."""
        with contextlib.suppress(OSError):
            if self.is_in_place():
                self._new().unlink(missing_ok=True)
                self.path.unlink()
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def _new(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    def _write_synced(self, records: bytes) -> None:
        """In one step where the system can: a thread that comes back from each has to wait its turn."""
        if self._flags and len(records) == self._try_synced(records):
            return
        _write(self._fd, records, self.used)
        _sync_data(self._fd)

    def _try_synced(self, records: bytes) -> int:
        try:
            return os.pwritev(self._fd, [records], self.used, self._flags)
        except OSError as error:
            if error.errno not in CANNOT:
                raise
            self._flags = 0
            return 0

    def _sync(self) -> None:
        _sync_data(self._fd)
        self._check_place()

    def _check_place(self) -> None:
        if not self.is_in_place():
            raise FileNotFoundError(errno.ENOENT, "It was moved or removed while in use")


def first_free(path: Path, *, flags: int = os.O_CREAT) -> Slot:
    return next(slot for place in _places(path) if (slot := Slot.take(place, flags=flags)))


def orphans(path: Path) -> Iterator[Slot]:
    """Slots whose process is gone, each locked for us as it comes out."""
    name = re.compile(re.escape(path.name) + r"(\.\d+)?")
    for place in [place for place in path.parent.iterdir() if name.fullmatch(place.name)]:
        with contextlib.suppress(IsADirectoryError, PermissionError):
            if slot := Slot.take(place, flags=0):
                yield slot


def make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _places(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(1):
        yield path.with_name(f"{path.name}.{number}")


def _chunks(size: int) -> int:
    return -(-size // CHUNK) * CHUNK


def _fill(fd: int, start: int, end: int) -> None:
    for offset in range(start, end, CHUNK):
        _write(fd, ZEROS[: end - offset], offset)


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
