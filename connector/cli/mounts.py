"""Finds the file system of a folder in Linux's /proc/self/mountinfo.

https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
"""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}
"""A lock on these may be lost, or may not be seen by another machine."""


def network_file_system(folder: Path) -> str | None:
    """Returns the type of the folder's file system if it is a network file system, else None.

    Returns None on a system without /proc/self/mountinfo.
    """
    if not MOUNTS.exists():
        return None
    found = file_system_type(folder.resolve(), MOUNTS.read_text())
    return found if found in NETWORK_FILE_SYSTEMS else None


def file_system_type(folder: Path, mounts: str) -> str:
    """Returns the type of the mount nearest to the folder.

    If several mounts have the same path, the last mount hides the others.
    """
    found, depth = "", 0
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        escaped = left.split()[4]
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped))
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = right.split()[0], len(point.parts)
    return found
