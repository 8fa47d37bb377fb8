"""Everything from the numbers in the last answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from pydantic import SecretStr

from connector import schedule
from connector.model import Failure, Tokens
from tests.clocks import NOON

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def tokens(life: timedelta | None, *, issued_at: datetime | None = NOON) -> Tokens:
    expires_at = None if life is None else NOON + life
    return Tokens(SecretStr("access"), SecretStr("refresh"), expires_at, None, issued_at)


@pytest.mark.parametrize(
    ("life", "margin"),
    [(DAY, 5 * MINUTE), (2 * HOUR, 5 * MINUTE), (5 * MINUTE, MINUTE), (MINUTE, MINUTE / 5)],
)
def test_the_margin_is_five_minutes_or_a_fifth_of_a_shorter_life(
    life: timedelta, margin: timedelta
) -> None:
    assert schedule.margin(tokens(life)) == margin


def test_fresh_ends_at_the_margin_and_alive_at_the_end() -> None:
    held, end = tokens(2 * HOUR), NOON + 2 * HOUR
    assert schedule.is_fresh(held, end - 5 * MINUTE - MINUTE / 60)
    assert not schedule.is_fresh(held, end - 5 * MINUTE)
    assert schedule.is_alive(held, end - MINUTE / 60)
    assert not schedule.is_alive(held, end)


def test_a_token_without_an_end_is_always_fresh() -> None:
    assert schedule.is_fresh(tokens(None), NOON + 3650 * DAY)


def test_a_token_of_unknown_age_gets_the_whole_margin() -> None:
    assert schedule.margin(tokens(MINUTE, issued_at=None)) == 5 * MINUTE


@pytest.mark.parametrize("life", [DAY, 2 * HOUR, 5 * MINUTE])
def test_the_background_comes_at_about_three_quarters_of_any_life(life: timedelta) -> None:
    chance = Random(1)
    shares = [(schedule.next_refresh(tokens(life), NOON, chance) - NOON) / life for _ in range(500)]
    assert min(shares) >= 0.70
    assert max(shares) <= 0.78
    assert max(shares) - min(shares) > 0.07


@pytest.mark.parametrize("life", [DAY, 2 * HOUR, 5 * MINUTE])
def test_and_always_before_a_read_would_have_to(life: timedelta) -> None:
    chance = Random(2)
    assert all(
        schedule.is_fresh(tokens(life), schedule.next_refresh(tokens(life), NOON, chance))
        for _ in range(500)
    )


def test_what_cannot_expire_is_probed_within_the_interval_it_was_promised() -> None:
    chance = Random(3)
    waits = [
        schedule.next_due(tokens(None), NOON, probe_every=6 * HOUR, chance=chance) - NOON
        for _ in range(500)
    ]
    assert min(waits) >= 4.8 * HOUR
    assert max(waits) <= 5.7 * HOUR


def retries(count: int, *, told: float | None = None) -> list[float]:
    chance = Random(4)
    return [
        (schedule.retry_at(NOON, n, chance, told=told) - NOON).total_seconds()
        for n in range(1, count + 1)
    ]


def test_retries_double_from_seconds_to_a_quarter_of_an_hour_and_no_further() -> None:
    for number, wait in enumerate(retries(40)):
        longest = min(15 * 2**number, 900)
        assert longest / 2 <= wait <= longest


def test_tiktoks_own_word_is_waited_for_and_not_by_all_to_the_same_second() -> None:
    waits = [schedule.retry_at(NOON, 1, Random(n), told=60) - NOON for n in range(100)]
    assert min(waits) >= MINUTE
    assert max(waits) <= MINUTE * 1.25
    assert len(set(waits)) == 100


def test_an_absurd_word_is_not() -> None:
    assert max(retries(10, told=99_999)) <= 3600 * 1.25


def test_what_is_left_of_a_wait_is_never_less_than_nothing() -> None:
    failure = Failure(code="x", message="", since=NOON, again_at=NOON + MINUTE)
    assert schedule.left(failure, NOON) == 60
    assert schedule.left(failure, NOON + HOUR) == 0
    assert schedule.left(failure.model_copy(update={"again_at": None}), NOON) == 0
