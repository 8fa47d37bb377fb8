"""The journal holds TikTok's responses, encrypted, on the local disk until the store has saved them.

- Space is reserved before a one-time token is sent. `reserve()` writes a commit, so a full or failing
  disk is noticed before the token is used. The reservation guarantees space for one response of up to
  8 KiB, even if other programs fill the disk later.
- An entry is on the disk when `append` returns. Calls that wait at the same time share one commit.
  An entry is written even if its caller is cancelled.
- A removal is written with the next commit, at the latest after 50 ms. So a crash may recover an entry that was removed, but it never
  loses an entry that was not removed. The store refuses an outdated entry by its version.
- Each process has its own SQLite file and locks this file. If a process can lock another file, the
  owner of that file is dead. The entries and the owner id are copied to the file of this process before
  the old file is removed. The file of a running process is never changed, even if the process is suspended.
  This happens at the start and, with `adopt_dead_files`, while the process runs.
- A damaged file of a dead process is not removed. A warning is logged after all readable entries were recovered.
- If the disk is full at the start, reservations are refused, but recovered entries are still returned.
"""

from .entries import Entry, Recovered, RecoveredEntry, RecoveredOwner
from .journal import Journal

__all__ = ["Entry", "Journal", "Recovered", "RecoveredEntry", "RecoveredOwner"]
