"""Keeps tokens valid. These rules protect connections from loss. They are written only here.

1. One refresh at a time per connection, across replicas. Inside a process all callers share one task;
   between processes the lease in the store decides. Acquiring the lease is a write, so the store is
   known to be writable before a refresh token is used. A process that still has the lease gets the lease
   again, because its operations of one connection never run at the same time.
2. The lease outlasts the longest call to TikTok. A process does not send a call that could still run
   after its lease.
   - A read leases for 60 s. The background leases for a third of the token's remaining life, between 60 s
     and 10 min. If the process dies after TikTok's response, the response is in its journal, and the
     process has this time to start again and save it before another process uses the old refresh token.
   - A read never ends the lease of another process early. The background starts when about a quarter of
     the token's life is left, and its lease ends when a third of that has passed. So a read normally finds
     the token fresh until the lease has ended. A read that needs a token sooner, because the token
     lives only minutes or its refresh is overdue, waits at most 25 s, and then returns the old token while
     it is unexpired, or raises `Busy`.
   - Processes that share a journal folder look for the files of dead processes every 5 s: one of them saves
     the tokens and then releases the dead process's leases. So nobody waits there.
   - A response that the dead process never received is lost, and a longer lease would not recover it.
3. A refresh that has started is never cancelled. The refresh is a task of its own: its caller may be
   cancelled, and shutdown waits for the task.
4. TikTok's response is first written to the journal. The new tokens are then saved in the store before
   a caller gets them. If the store fails, callers get the new tokens from memory, and the tokens are
   saved before a new lease is acquired. After a restart the journal is recovered first.
5. Every write names the version of the tokens that it started from. The store refuses an older version.
   So a late writer, or a refresh that ends after a reconnect, changes nothing and reads the row again.
6. TikTok's rejection of a refresh token is accepted only if no dead process has left newer tokens in the
   journal folder, the row has no newer tokens and this process still has the lease. Otherwise another
   process may have rotated the token, or may soon rotate it. One UPDATE checks the conditions of the row
   and sets the status.
7. While refreshes fail for a transient reason, reads get the old token until it expires, and TikTok is
   not called before the next retry is due.
8. The background runs a limited number of refreshes. If TikTok cannot be reached, or asks for fewer
   calls, the limit drops to one and then doubles with each successful round. So not all refreshes start
   together at the end of an outage.
9. Reads have priority. While tokens are read, the background runs only a few refreshes and delays the
   rest.

Without a rule, these tests in tests/tokens fail:

1. a_hundred_concurrent_reads_cause_one_refresh, concurrent_reads_in_three_replicas_cause_one_refresh
2. a_process_delayed_until_its_lease_may_have_expired_does_not_call_tiktok,
   no_lease_of_a_dead_process_is_released_before_its_new_tokens_are_saved
3. a_refresh_continues_when_its_caller_is_cancelled
4. new_tokens_are_journaled_before_they_are_saved, a_restarted_process_saves_the_journaled_tokens_first,
   unsaved_tokens_are_saved_before_any_new_lease
5. the_write_of_an_owner_whose_lease_has_ended_is_refused,
   the_tokens_of_a_reconnect_are_not_overwritten_by_a_running_refresh
6. a_late_owner_reads_the_row_again_after_tiktok_rejected_its_refresh_token,
   a_late_owner_whose_refresh_token_is_rejected_reports_busy_while_the_new_owner_refreshes
7. a_read_whose_refresh_fails_returns_the_old_token_while_it_is_unexpired,
   reads_do_not_call_tiktok_before_the_next_retry_is_due
8. one_refresh_at_a_time_is_tried_while_tiktok_is_unreachable_or_limits_the_rate
9. the_background_runs_small_batches_while_tokens_are_read
"""

from __future__ import annotations

from .access import TokenAccess, UsableTokens
from .background import BackgroundRefresher, BatchResult, StartedRefresh
from .failures import require_active
from .leases import (
    LEASE_WAIT,
    MAX_REFRESH_LEASE,
    MAX_TIKTOK_CALL,
    REFRESH_LEASE,
    RefreshLeases,
)
from .operations import TokenOperations
from .outcome_writer import OutcomeWriter
from .recovery import TokenRecovery
from .refresher import MAX_CONCURRENT_REFRESHES, RefreshResult, TokenRefresher

__all__ = [
    "LEASE_WAIT",
    "MAX_CONCURRENT_REFRESHES",
    "MAX_REFRESH_LEASE",
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
