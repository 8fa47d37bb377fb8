"""Due times follow from the numbers that TikTok returned last."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from pydantic import SecretStr

from connector import schedule
from connector.model import Failure, Tokens

from .manual_clock import NOON

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def tokens(lifetime: timedelta | None, *, issued_at: datetime | None = NOON) -> Tokens:
    expires_at = None if lifetime is None else NOON + lifetime
    return Tokens(SecretStr("access"), SecretStr("refresh"), expires_at, None, issued_at)


@pytest.mark.parametrize(
    ("lifetime", "margin"),
    [(DAY, 5 * MINUTE), (2 * HOUR, 5 * MINUTE), (5 * MINUTE, MINUTE), (MINUTE, MINUTE / 5)],
)
def test_the_refresh_margin_is_five_minutes_or_a_fifth_of_a_shorter_lifetime(
    lifetime: timedelta, margin: timedelta
) -> None:
    assert schedule.refresh_margin(tokens(lifetime)) == margin


def test_a_token_is_fresh_until_the_margin_and_unexpired_until_the_end() -> None:
    two_hours, end = tokens(2 * HOUR), NOON + 2 * HOUR
    assert schedule.is_fresh(two_hours, end - 5 * MINUTE - MINUTE / 60)
    assert not schedule.is_fresh(two_hours, end - 5 * MINUTE)
    assert schedule.is_unexpired(two_hours, end - MINUTE / 60)
    assert not schedule.is_unexpired(two_hours, end)


def test_a_token_without_an_expiry_is_always_fresh() -> None:
    assert schedule.is_fresh(tokens(None), NOON + 3650 * DAY)


def test_a_token_of_unknown_age_gets_the_whole_margin() -> None:
    assert schedule.refresh_margin(tokens(MINUTE, issued_at=None)) == 5 * MINUTE


def due_times(lifetime: timedelta | None, random: Random) -> list[datetime]:
    return [
        schedule.next_due(tokens(lifetime), NOON, probe_every=6 * HOUR, random=random)
        for _ in range(500)
    ]


@pytest.mark.parametrize("lifetime", [DAY, 2 * HOUR, 5 * MINUTE])
def test_a_refresh_is_due_at_about_three_quarters_of_any_lifetime(lifetime: timedelta) -> None:
    fractions = [(due_at - NOON) / lifetime for due_at in due_times(lifetime, Random(1))]
    assert min(fractions) >= 0.70
    assert max(fractions) <= 0.78
    assert max(fractions) - min(fractions) > 0.07


def test_a_refresh_is_due_at_a_fraction_of_the_lifetime_since_the_tokens_were_issued() -> None:
    """A grant may become a connection long after TikTok issued its tokens."""
    now = NOON + HOUR
    due_at = schedule.next_due(tokens(2 * HOUR), now, probe_every=6 * HOUR, random=Random(1))
    assert 0.70 <= (due_at - NOON) / (2 * HOUR) <= 0.78


@pytest.mark.parametrize("lifetime", [DAY, 2 * HOUR, 5 * MINUTE])
def test_a_background_refresh_is_due_before_a_read_would_have_to_refresh(
    lifetime: timedelta,
) -> None:
    times = due_times(lifetime, Random(2))
    assert all(schedule.is_fresh(tokens(lifetime), due_at) for due_at in times)


def test_a_token_without_an_expiry_is_probed_within_the_probe_interval() -> None:
    waits = [due_at - NOON for due_at in due_times(None, Random(3))]
    assert min(waits) >= 4.8 * HOUR
    assert max(waits) <= 5.7 * HOUR


def retry_delays(count: int, *, retry_after: float | None = None) -> list[float]:
    random = Random(4)
    return [
        (
            schedule.retry_at(NOON, failures=n, random=random, retry_after=retry_after) - NOON
        ).total_seconds()
        for n in range(1, count + 1)
    ]


def test_the_retry_delay_doubles_up_to_a_quarter_of_an_hour() -> None:
    for number, delay in enumerate(retry_delays(40)):
        longest = min(15 * 2**number, 900)
        assert longest / 2 <= delay <= longest


def test_a_retry_waits_at_least_the_delay_that_tiktok_requested_plus_jitter() -> None:
    waits = [
        schedule.retry_at(NOON, failures=1, random=Random(n), retry_after=60) - NOON
        for n in range(100)
    ]
    assert min(waits) >= MINUTE
    assert max(waits) <= MINUTE * 1.25
    assert len(set(waits)) == 100


def test_a_retry_waits_at_most_75_minutes_for_any_delay_that_tiktok_requests() -> None:
    assert max(retry_delays(10, retry_after=99_999)) <= 3600 * 1.25


def test_the_remaining_delay_of_a_due_retry_is_zero() -> None:
    failure = Failure(code="x", message="", since=NOON, retry_at=NOON + MINUTE)
    assert schedule.seconds_until_retry(failure, NOON) == 60
    assert schedule.seconds_until_retry(failure, NOON + MINUTE) is None
    assert schedule.seconds_until_retry(failure, NOON + HOUR) is None
    assert schedule.seconds_until_retry(failure.model_copy(update={"retry_at": None}), NOON) is None
