"""Slows down callers who send wrong credentials: by the beginning of the credential and by peer.

Credentials are checked first, and only wrong credentials are counted. So valid credentials are never delayed,
whatever address they come from. Genuine credentials that have expired are not counted.
"""

from __future__ import annotations

from hashlib import sha256

from connector.clock import Clock
from connector.concurrency import FailureLimit, LimitObserver, LimitReporter
from connector.errors import RateLimited

WINDOW_SECONDS = 60.0
MAX_FAILURES_PER_BEGINNING = 10
MAX_FAILURES_PER_PEER = 30
BEGINNING_LENGTH = 8


class CredentialLimiter:
    def __init__(self, *, clock: Clock, on_limited: LimitObserver) -> None:
        self._reporter = LimitReporter(clock=clock, on_limited=on_limited)
        self._limits = {
            "credential": FailureLimit(
                max_failures=MAX_FAILURES_PER_BEGINNING, window_seconds=WINDOW_SECONDS, clock=clock
            ),
            "peer": FailureLimit(
                max_failures=MAX_FAILURES_PER_PEER, window_seconds=WINDOW_SECONDS, clock=clock
            ),
        }

    def record_failure(self, credential: str, *, peer: str | None) -> None:
        """Raises `RateLimited` if too many wrong credentials came before. `peer` is None for a proxy."""
        beginning = credential[:BEGINNING_LENGTH].encode(errors="surrogatepass")
        keys = {"credential": sha256(beginning).hexdigest(), "peer": peer}
        waits: dict[str, float] = {}
        for name, key in keys.items():
            if key is not None:
                waits[name] = self._limits[name].seconds_to_wait(key)
                self._limits[name].record_failure(key)
        name = max(waits, key=waits.__getitem__)
        if waits[name] > 0:
            self._reporter.report(name, peer=peer)
            raise RateLimited(
                "Too many requests with wrong credentials. Wait, then send a valid API key, token or "
                "ticket.",
                retry_after=waits[name],
            )
