"""Provides disks that are small, full or read-only."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from connector.journal import Entry, Journal
from connector.journal.entries import encode
from connector.journal.files import SLOT_BYTES

from .helpers import entry

SMALL_DISK = "size=8m"
"""The size has space for the first file of a journal, but not for a second file."""


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Limits the size of each file, so that the disk seems full to this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """Mounts a new file system, if this process may mount."""
    point = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)]
    try:
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            # Without root only the tests with RLIMIT_FSIZE run. CI runs as root, so there this is a failure.
            (pytest.fail if "CI" in os.environ else pytest.skip)("mounting takes root")
        try:
            yield point
        finally:
            subprocess.run(["umount", "--lazy", point], check=True)
    finally:
        point.rmdir()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0
    yield
    ballast.unlink()


def full_size_entry(name: str) -> Entry:
    """Returns the largest entry that surely fits into one slot. Its checksum has one to ten digits."""
    return entry(name, size=SLOT_BYTES - 9 - len(encode(entry(name, size=0))))


async def reserve_all(journal: Journal, reservations: AsyncExitStack) -> int:
    """Makes reservations on a full disk until the next one has to wait."""
    count = 0
    while True:
        entering = asyncio.create_task(reservations.enter_async_context(journal.reserve()))
        await asyncio.sleep(0)  # until it has requested a commit
        while journal._writer:
            await journal._writer
        await asyncio.sleep(0)  # until it has resumed
        if not entering.done():
            entering.cancel()
            await asyncio.wait([entering])
            return count
        count += 1
