"""What the simulator remembers of the calls it received: a bounded log, and counts.

A log line is written when the call arrives and completed when it ends, so a call that hangs can be
seen hanging. It never holds a token, a code, a secret, a query or a body.
"""

from __future__ import annotations

from collections import Counter, deque

from .nouns import Json

KEPT = 50_000
IN_FLIGHT = "in_flight"
UNNAMED = "(not an address of TikTok's)"


class Record:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self._lines: deque[Json] = deque(maxlen=KEPT)
        self._open = 0

    def arrived(self, *, at: float, method: str, path: str, known: bool) -> Json:
        line: Json = {"at": at, "method": method, "path": path[:200], "verdict": IN_FLIGHT}
        self._lines.append(line)
        self.counts["calls"] += 1
        self.by_path[path if known else UNNAMED] += 1
        self._open += 1
        self.counts["most_in_flight"] = max(self.counts["most_in_flight"], self._open)
        return line

    def ended(self, line: Json, *, verdict: str, status: int | None, took_ms: float) -> None:
        line.update(verdict=verdict, status=status, took_ms=round(took_ms, 1))
        self.verdicts[verdict] += 1
        self._open -= 1

    def calls(self, *, path: str = "", limit: int = KEPT) -> list[Json]:
        """The newest `limit` lines whose path holds `path`, oldest of them first."""
        return [line for line in self._lines if path in line["path"]][-limit:]

    def clear_log(self) -> None:
        self._lines.clear()

    def clear_counts(self) -> None:
        for counter in (self.counts, self.by_path, self.verdicts):
            counter.clear()

    def stats(self) -> Json:
        named = {name: self.counts[name] for name in _NAMES}
        return {
            **named,
            "in_flight": self._open,
            "by_path": self.by_path,
            "verdicts": self.verdicts,
        }


_NAMES = (
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
