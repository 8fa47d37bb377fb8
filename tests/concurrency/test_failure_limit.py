"""Failures are counted by key in a sliding window, and a success is never counted."""

from __future__ import annotations

import logging

import pytest

from connector.concurrency import FailureLimit, LimitReporter, failure_limit
from tests.manual_clock import ManualClock

WINDOW = 60.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def limit(clock: ManualClock) -> FailureLimit:
    return FailureLimit(max_failures=3, window_seconds=WINDOW, clock=clock)


def fail(limit: FailureLimit, key: str, *, times: int) -> None:
    for _ in range(times):
        limit.record_failure(key)


def test_a_key_waits_after_the_last_allowed_failure(limit: FailureLimit) -> None:
    fail(limit, "a", times=2)
    assert limit.seconds_to_wait("a") == 0
    fail(limit, "a", times=1)
    assert limit.seconds_to_wait("a") == WINDOW
    assert limit.seconds_to_wait("b") == 0


def test_a_key_waits_until_its_oldest_counted_failure_leaves_the_window(
    limit: FailureLimit, clock: ManualClock
) -> None:
    fail(limit, "a", times=1)
    clock.advance(20)
    fail(limit, "a", times=2)
    assert limit.seconds_to_wait("a") == WINDOW - 20
    clock.advance(WINDOW - 20)
    assert limit.seconds_to_wait("a") == 0


def test_a_key_that_continues_to_fail_continues_to_wait(
    limit: FailureLimit, clock: ManualClock
) -> None:
    for _ in range(10):
        fail(limit, "a", times=3)
        clock.advance(WINDOW - 1)
        assert limit.seconds_to_wait("a") == 1


def test_running_calls_count_until_they_end(clock: ManualClock) -> None:
    limit = FailureLimit(
        max_failures=3, max_failures_and_running=2, window_seconds=WINDOW, clock=clock
    )
    with limit.running("a"):
        assert limit.seconds_to_wait("a") == 0
        with limit.running("a"):
            assert limit.seconds_to_wait("a") > 0
            assert limit.seconds_to_wait("b") == 0
    assert limit.seconds_to_wait("a") == 0


def test_the_number_of_keys_is_limited(
    limit: FailureLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_limit, "MAX_KEYS", 1)
    fail(limit, "old", times=3)
    fail(limit, "new", times=3)
    assert limit.seconds_to_wait("old") == 0
    assert limit.seconds_to_wait("new") > 0


def test_each_refusal_is_counted_and_one_in_a_minute_is_logged(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    refused: list[str] = []
    reporter = LimitReporter(clock=clock, on_limited=refused.append)
    for _ in range(3):
        reporter.report("peer", peer="192.0.2.1")
    clock.advance(failure_limit.WARNING_INTERVAL_SECONDS)
    reporter.report("peer", peer="192.0.2.1")
    assert refused == ["peer"] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "requests refused after failures limit=peer peer=192.0.2.1"
    ] * 2
