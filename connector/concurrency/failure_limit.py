"""Counts failures by a key, such as the address of a caller, in a sliding window.

Only failures count, so a caller who succeeds is never slowed down. A call whose result is not known yet can
count as a possible failure, because a hundred calls at once would otherwise all start before the first one
fails. The counts are in the memory of this process only.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connector.clock import Clock

log = logging.getLogger(__name__)

MAX_KEYS = 10_000
WARNING_INTERVAL_SECONDS = 60.0

LimitObserver = Callable[[str], None]
"""Called with the name of a limit when the limit refuses a request."""


def ignore_limit(_limit: str) -> None:
    pass


class LimitReporter:
    """Counts each refusal, and logs the first one of a minute: an attacker decides how many there are."""

    def __init__(self, *, clock: Clock, on_limited: LimitObserver) -> None:
        self._clock = clock
        self._on_limited = on_limited
        self._next_warning_at: dict[str, float] = {}

    def report(self, limit: str, *, peer: str | None) -> None:
        self._on_limited(limit)
        now = self._clock.ticks()
        if now >= self._next_warning_at.get(limit, now):
            self._next_warning_at[limit] = now + WARNING_INTERVAL_SECONDS
            log.warning("requests refused after failures limit=%s peer=%s", limit, peer)


class FailureLimit:
    def __init__(
        self,
        *,
        max_failures: int,
        max_failures_and_running: int | None = None,
        window_seconds: float,
        clock: Clock,
    ) -> None:
        self._max_failures = max_failures
        self._window_seconds = window_seconds
        self._max_failures_and_running = max_failures_and_running
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}
        self._running: Counter[str] = Counter()

    def seconds_to_wait(self, key: str) -> float:
        """Returns 0 if the key is not limited."""
        failed_at = self._recent_failures(key)
        if len(failed_at) >= self._max_failures:
            return failed_at[0] + self._window_seconds - self._clock.ticks()
        limit = self._max_failures_and_running
        if limit is not None and len(failed_at) + self._running[key] >= limit:
            return 1.0
        return 0.0

    def record_failure(self, key: str) -> None:
        failed_at = self._failures.pop(key, None) or deque(maxlen=self._max_failures)
        failed_at.append(self._clock.ticks())
        self._failures[key] = failed_at
        if len(self._failures) > MAX_KEYS:
            oldest = next(iter(self._failures))
            del self._failures[oldest]

    @contextmanager
    def running(self, key: str) -> Iterator[None]:
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]

    def _recent_failures(self, key: str) -> deque[float]:
        failed_at = self._failures.get(key, deque())
        while failed_at and failed_at[0] + self._window_seconds <= self._clock.ticks():
            failed_at.popleft()
        return failed_at
