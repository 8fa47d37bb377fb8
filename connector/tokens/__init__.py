"""Keeps tokens valid. These rules protect connections from loss. They are written only here.

1. One refresh at a time per connection, across replicas. Inside a process all callers share one task;
   between processes the lease in the store decides. Acquiring the lease is a write, so the store is
   known to be writable before a refresh token is used.
2. The lease outlasts the longest call to TikTok. A process does not send a call that could
   still run after its lease. The lease only coordinates running processes: the process that recovers
   the journal of a dead process saves the recovered tokens and then releases the dead process's leases.
   A response that the dead process never received is lost, and a longer lease would not recover it.
3. A refresh that has started is never cancelled. The refresh is a task of its own: its caller may be
   cancelled, and shutdown waits for the task.
4. TikTok's response is first written to the journal. The new tokens are then saved in the store before
   a caller gets them. If the store fails, callers get the new tokens from memory, and the tokens are
   saved before a new lease is acquired. After a restart the journal is recovered first.
5. Every write names the version of the tokens that it started from. The store refuses an older version.
   So a late writer, or a refresh that ends after a reconnect, changes nothing and reads the row again.
6. TikTok's rejection of a refresh token is accepted only if the row has no newer tokens and this process
   still has the lease. Otherwise another process may have rotated the token, or may soon rotate it. One
   UPDATE checks both conditions and sets the status.
7. While refreshes fail for a transient reason, reads get the old token until it expires, and TikTok is
   not called before the next retry is due.
8. The background runs a limited number of refreshes. If TikTok cannot be reached, or asks for fewer
   calls, the limit drops to one and then doubles with each successful round. So not all refreshes start
   together at the end of an outage.
9. Reads have priority. While tokens are read, the background runs only a few refreshes and delays the
   rest.
"""

from __future__ import annotations

from .access import TokenAccess, UsableTokens
from .background import BackgroundRefresher, BatchResult, StartedRefresh
from .failures import require_active
from .leases import LEASE_WAIT, MAX_TIKTOK_CALL, REFRESH_LEASE, RefreshLeases
from .operations import TokenOperations
from .outcome_writer import OutcomeWriter
from .recovery import TokenRecovery
from .refresher import MAX_CONCURRENT_REFRESHES, RefreshResult, TokenRefresher

__all__ = [
    "LEASE_WAIT",
    "MAX_CONCURRENT_REFRESHES",
    "MAX_TIKTOK_CALL",
    "REFRESH_LEASE",
    "BackgroundRefresher",
    "BatchResult",
    "OutcomeWriter",
    "RefreshLeases",
    "RefreshResult",
    "StartedRefresh",
    "TokenAccess",
    "TokenOperations",
    "TokenRecovery",
    "TokenRefresher",
    "UsableTokens",
    "require_active",
]
