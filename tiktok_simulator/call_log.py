"""A bounded log of the calls that the simulator received, and counters.

A log line is written when the call arrives and completed when the call ends, so the log also shows
calls that hang. A log line never contains a token, a code, a secret, a query or a body.
"""

from __future__ import annotations

from collections import Counter, deque

from .model import Json

MAX_LOG_LINES = 50_000
IN_FLIGHT = "in_flight"
UNKNOWN_ADDRESS = "(not an address of TikTok's)"

_COUNTER_NAMES = (
    "calls",
    "most_in_flight",
    "consents",
    "exchanges",
    "exchanges_refused",
    "exchange_answers_dropped",
    "used_code_presented",
    "refreshes",
    "refreshes_refused",
    "refresh_answers_dropped",
    "dead_refresh_token_presented",
    "revoked",
    "faults",
    "throttled",
    "webhooks",
    "webhooks_failed",
    "uploads",
    "posts",
)


class CallLog:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._counts_by_path: Counter[str] = Counter()
        self._counts_by_result: Counter[str] = Counter()
        self._lines: deque[Json] = deque(maxlen=MAX_LOG_LINES)
        self._in_flight = 0

    def start_call(self, *, at: float, method: str, path: str, address_exists: bool) -> Json:
        line: Json = {"at": at, "method": method, "path": path[:200], "verdict": IN_FLIGHT}
        self._lines.append(line)
        self.counts["calls"] += 1
        self._counts_by_path[path if address_exists else UNKNOWN_ADDRESS] += 1
        self._in_flight += 1
        self.counts["most_in_flight"] = max(self.counts["most_in_flight"], self._in_flight)
        return line

    def finish_call(
        self, line: Json, *, result: str, status: int | None, duration_ms: float
    ) -> None:
        line.update(verdict=result, status=status, took_ms=round(duration_ms, 1))
        self._counts_by_result[result] += 1
        self._in_flight -= 1

    def calls(self, *, path: str = "", limit: int = MAX_LOG_LINES) -> list[Json]:
        """The newest `limit` log lines whose path contains `path`, in order of arrival."""
        return [line for line in self._lines if path in line["path"]][-limit:]

    def clear_calls(self) -> None:
        self._lines.clear()

    def clear_counts(self) -> None:
        for counter in (self.counts, self._counts_by_path, self._counts_by_result):
            counter.clear()

    def stats(self) -> Json:
        return {
            **{name: self.counts[name] for name in _COUNTER_NAMES},
            "in_flight": self._in_flight,
            "by_path": self._counts_by_path,
            "verdicts": self._counts_by_result,
        }
