"""Decides when a delivery that failed is attempted again.

The pauses are those of Standard Webhooks: ten attempts in 75.6 hours. A random part of the pause spreads the
attempts after an outage. `Retry-After` can make a pause longer, never shorter.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

HOUR = 3600.0
PAUSES = (
    5.0,
    300.0,
    1800.0,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""The pause after the first attempt, after the second attempt, and so on."""

MAX_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.2
OVERLOADED_STATUSES = frozenset({429, 502, 503, 504})
OVERLOADED_PAUSE = 60.0
"""The shortest pause after these statuses or a time-out, because the endpoint has too much to do."""

MAX_RETRY_AFTER = 24 * HOUR


class RetrySchedule:
    def __init__(self, *, random: Random, pauses: tuple[float, ...] = PAUSES) -> None:
        self._random = random
        self._pauses = pauses

    def next_pause(
        self, attempts: int, *, status: int | None, timed_out: bool, retry_after: float | None
    ) -> float | None:
        """Returns the seconds until the next attempt, or None after the last attempt.

        `attempts` is the number of attempts so far, all of which failed. `retry_after` is in seconds.
        """
        if attempts > len(self._pauses):
            return None
        pause = self._pauses[attempts - 1] * self._random.uniform(1 - JITTER, 1 + JITTER)
        if timed_out or status in OVERLOADED_STATUSES:
            pause = max(pause, OVERLOADED_PAUSE)
        return max(pause, min(retry_after or 0.0, MAX_RETRY_AFTER))


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Returns the seconds of a `Retry-After` header: a number of seconds, or an HTTP date."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # Of a number with forty digits, for example.
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return max(0.0, (time - now).total_seconds())
