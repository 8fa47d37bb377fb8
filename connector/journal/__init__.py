"""The journal: TikTok's answers, encrypted, on the local disk until the store has them.

- Space is reserved before a one-time token is sent. `reserve()` commits something, so that a full
  or failing disk is noticed while there is nothing to lose, and guarantees space for one answer
  even if other programs fill the disk afterwards.
- An entry is on the disk when `append` returns. Calls that wait at the same time share one commit.
  An entry is written even if its caller is cancelled.
- An entry may come back although it was removed, never the reverse, because a removal waits for
  the next commit. The store refuses an outdated entry by its version.
- Each process has its own SQLite file and holds its lock. A file that can be locked belonged to a
  process that died. Its entries and its owner id are copied to our own file, and only then it is
  removed. The file of a running process is never touched, not even if the process is stopped.
- A damaged file is left where it is, with a warning, after all readable entries were recovered.
- A disk that is full at the start stops new answers, but recovered entries are still returned.
"""

from .entries import Entry, RecoveredEntry, RecoveredOwner
from .journal import Journal

__all__ = ["Entry", "Journal", "RecoveredEntry", "RecoveredOwner"]
