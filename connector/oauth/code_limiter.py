"""Limits how many codes that TikTok rejects may be tried with one state.

Each code causes a call to TikTok, and a caller with one state could invent codes without end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.clock import Clock
from connector.errors import RateLimited
from connector.model import OAuthState

MAX_REJECTED_CODES = 8
REJECTION_WINDOW = timedelta(minutes=10)
MAX_TRACKED_STATES = 10_000


class RejectedCodeLimiter:
    """Counts by the state's nonce, because one state can be written in many ways.

    The counts are in the memory of this process only.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rejections: dict[str, list[datetime]] = {}

    def record_rejection(self, oauth_state: OAuthState) -> None:
        if oauth_state.nonce is None:
            return
        rejected_at = [*self._rejections.pop(oauth_state.nonce, ()), self._clock.now()]
        self._rejections[oauth_state.nonce] = rejected_at[-MAX_REJECTED_CODES:]
        if len(self._rejections) > MAX_TRACKED_STATES:
            oldest = next(iter(self._rejections))
            del self._rejections[oldest]

    def check(self, oauth_state: OAuthState) -> None:
        rejected_at = self._rejections.get(oauth_state.nonce or "", [])
        if len(rejected_at) < MAX_REJECTED_CODES:
            return
        wait = rejected_at[0] + REJECTION_WINDOW - self._clock.now()
        if wait > timedelta(0):
            raise RateLimited(
                "TikTok rejected too many codes for this connection attempt. Start again.",
                retry_after=wait.total_seconds(),
            )
