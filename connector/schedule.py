"""When something is due, worked out from the numbers TikTok returned and nothing else.

A token is refreshed in the background at about three quarters of its life, and on a read when less
than the margin is left. Both follow the lifetime of the token at hand, so a change from 24 hours
to 2, or to five minutes, needs no setting. Everything that could happen to many connections at
once is spread by chance.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from .model import Failure, Tokens

MARGIN = timedelta(minutes=5)
MARGIN_SHARE = 0.2
REFRESH_FROM, REFRESH_TO = 0.70, 0.78
FIRST_RETRY = timedelta(seconds=15)
LAST_RETRY = timedelta(minutes=15)
LONGEST_TOLD = timedelta(hours=1)


def margin(tokens: Tokens) -> timedelta:
    """How much life a token must have left to be handed out: never most of a short one."""
    if tokens.expires_at is None or tokens.issued_at is None:
        return MARGIN
    return min(MARGIN, (tokens.expires_at - tokens.issued_at) * MARGIN_SHARE)


def is_fresh(tokens: Tokens, now: datetime) -> bool:
    return tokens.expires_at is None or now < tokens.expires_at - margin(tokens)


def is_alive(tokens: Tokens, now: datetime) -> bool:
    return tokens.expires_at is None or now < tokens.expires_at


def next_refresh(tokens: Tokens, now: datetime, chance: Random) -> datetime:
    assert tokens.expires_at is not None  # noqa: S101
    issued_at = tokens.issued_at or now
    life = tokens.expires_at - issued_at
    return issued_at + life * chance.uniform(REFRESH_FROM, REFRESH_TO)


def next_probe(now: datetime, every: timedelta, chance: Random) -> datetime:
    """Within the interval, so that a revoked token is found no later than promised."""
    return now + every * chance.uniform(0.8, 0.95)


def next_due(tokens: Tokens, now: datetime, *, probe_every: timedelta, chance: Random) -> datetime:
    if tokens.refresh is not None and tokens.expires_at is not None:
        return next_refresh(tokens, now, chance)
    return next_probe(now, probe_every, chance)


def retry_at(now: datetime, times: int, chance: Random, *, told: float | None = None) -> datetime:
    """After `times` failures in a row; no sooner than TikTok said, unless that is absurd."""
    longest = min(FIRST_RETRY * 2.0 ** min(times - 1, 10), LAST_RETRY)
    wait = longest * chance.uniform(0.5, 1.0)
    asked = min(timedelta(seconds=told or 0), LONGEST_TOLD) * chance.uniform(1.0, 1.25)
    return now + max(wait, asked)


def left(failure: Failure, now: datetime) -> float:
    """Seconds until what failed is tried again; 0 where nothing forbids to try now."""
    again_at = failure.again_at or now
    return max(0.0, (again_at - now).total_seconds())
