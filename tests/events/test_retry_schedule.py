"""The pauses between the attempts of a delivery."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.events.retry_schedule import (
    HOUR,
    MAX_ATTEMPTS,
    PAUSES,
    RetrySchedule,
    parse_retry_after,
)
from tests.manual_clock import NOON

SCHEDULE = RetrySchedule(random=Random(1))


def next_pause(
    attempts: int,
    *,
    status: int | None = 500,
    timed_out: bool = False,
    retry_after: float | None = None,
) -> float:
    pause = SCHEDULE.next_pause(
        attempts, status=status, timed_out=timed_out, retry_after=retry_after
    )
    assert pause is not None
    return pause


def test_ten_attempts_are_made_in_75_6_hours() -> None:
    assert MAX_ATTEMPTS == 10
    assert round(sum(PAUSES) / HOUR, 1) == 75.6


@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS))
def test_a_pause_differs_from_the_table_by_at_most_a_fifth(attempts: int) -> None:
    pauses = [next_pause(attempts) for _ in range(200)]
    expected = PAUSES[attempts - 1]
    assert 0.8 * expected <= min(pauses) < 0.9 * expected
    assert 1.1 * expected < max(pauses) <= 1.2 * expected


def test_nothing_follows_the_last_attempt() -> None:
    assert SCHEDULE.next_pause(MAX_ATTEMPTS, status=503, timed_out=False, retry_after=60.0) is None


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_endpoint_gets_at_least_a_minute(status: int) -> None:
    assert next_pause(1, status=status) == 60
    assert next_pause(2, status=status) >= 240


def test_a_time_out_gets_at_least_a_minute() -> None:
    assert next_pause(1, status=None, timed_out=True) == 60
    assert next_pause(1, status=None) <= 6


def test_retry_after_makes_a_pause_longer_up_to_a_day_and_never_shorter() -> None:
    assert next_pause(1, retry_after=600.0) == 600
    assert next_pause(3, retry_after=600.0) >= 1440
    assert next_pause(1, retry_after=1e9) == 24 * HOUR
    assert next_pause(9, retry_after=1e9) >= 0.8 * 24 * HOUR


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, float("inf")),
        (format_datetime(NOON + timedelta(hours=1), usegmt=True), 3600.0),
        (format_datetime(NOON - timedelta(hours=1), usegmt=True), 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("1 Jan 2030 00:00:00 +" + "9" * 40, None),
        ("9" * 40 + " Jan 2030 00:00:00", None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(header, now=NOON) == seconds


@given(st.text())
def test_no_text_of_retry_after_raises(header: str) -> None:
    seconds = parse_retry_after(header, now=NOON)
    assert seconds is None or seconds >= 0
