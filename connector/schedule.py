"""Computes due times only from the numbers that TikTok returned.

The background refreshes a token at about three quarters of its lifetime. A read refreshes a token if its
remaining lifetime is shorter than the refresh margin. Both times depend on the lifetime of the token. So
if TikTok changes the lifetime from 24 hours to 2, or to five minutes, no setting changes. Times that many
connections could share are spread at random.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from .model import Failure, Tokens

MAX_REFRESH_MARGIN = timedelta(minutes=5)
REFRESH_MARGIN_FRACTION = 0.2
REFRESH_AT_FRACTION = (0.70, 0.78)
PROBE_AT_FRACTION = (0.80, 0.95)
MIN_RETRY_DELAY = timedelta(seconds=15)
MAX_RETRY_DELAY = timedelta(minutes=15)
MAX_RETRY_AFTER = timedelta(hours=1)


def refresh_margin(tokens: Tokens) -> timedelta:
    """Five minutes, or a fifth of the lifetime if that is shorter."""
    if tokens.expires_at is None or tokens.issued_at is None:
        return MAX_REFRESH_MARGIN
    return min(MAX_REFRESH_MARGIN, (tokens.expires_at - tokens.issued_at) * REFRESH_MARGIN_FRACTION)


def is_fresh(tokens: Tokens, now: datetime) -> bool:
    return tokens.expires_at is None or now < tokens.expires_at - refresh_margin(tokens)


def is_unexpired(tokens: Tokens, now: datetime) -> bool:
    return tokens.expires_at is None or now < tokens.expires_at


def next_due(tokens: Tokens, now: datetime, *, probe_every: timedelta, random: Random) -> datetime:
    if tokens.refresh is None or tokens.expires_at is None:
        return next_probe(now, probe_every, random=random)
    issued_at = tokens.issued_at or now
    return issued_at + (tokens.expires_at - issued_at) * random.uniform(*REFRESH_AT_FRACTION)


def next_probe(now: datetime, every: timedelta, *, random: Random) -> datetime:
    """Returns a time within the interval, so that a revoked token is detected before the interval ends."""
    return now + every * random.uniform(*PROBE_AT_FRACTION)


def retry_at(
    now: datetime, *, failures: int, random: Random, retry_after: float | None = None
) -> datetime:
    """Returns the time of the next retry after `failures` in a row.

    The retry is not earlier than TikTok requested, up to `MAX_RETRY_AFTER`.
    """
    max_backoff = min(MIN_RETRY_DELAY * 2.0 ** min(failures - 1, 10), MAX_RETRY_DELAY)
    backoff = max_backoff * random.uniform(0.5, 1.0)
    requested = min(timedelta(seconds=retry_after or 0), MAX_RETRY_AFTER)
    return now + max(backoff, requested * random.uniform(1.0, 1.25))


def seconds_until_retry(failure: Failure, now: datetime) -> float | None:
    """Returns None if a retry is allowed now."""
    if failure.retry_at is None or failure.retry_at <= now:
        return None
    return (failure.retry_at - now).total_seconds()
