"""Temporary directories that a later run deletes if this process is killed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import TextIO


def lock_directory(directory: Path) -> TextIO:
    """A lock that the kernel releases when this process ends, also by SIGKILL."""
    lock = (directory / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def remove_abandoned_directories(prefix: str) -> None:
    """Deletes the directories of runs that were killed before they deleted their directory."""
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            with (directory / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue
