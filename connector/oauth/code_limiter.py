"""Limits how many codes that TikTok rejects may be tried by one state, one user and one peer.

Each code costs a call to TikTok, rows in the store, and a part of a quota that all users of the app share. So
the limits are checked before anything is written. Only rejected codes count; a running exchange counts until
its result is known. A code that this process has admitted before is admitted again, because the repeated
POST gets the stored reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from connector.clock import Clock
from connector.concurrency import FailureLimit, LimitObserver, LimitReporter, ignore_limit
from connector.errors import CodeSpent, RateLimited
from connector.model import OAuthState

MAX_REJECTED_CODES = 8
MAX_REJECTED_CODES_PER_USER = 16
MAX_REJECTED_CODES_PER_PEER = 30
MAX_REJECTED_AND_RUNNING_PER_PEER = 100
"""Many people may share a peer: a company's network, or the customer's own server."""

REJECTION_WINDOW = timedelta(minutes=10)
MAX_REMEMBERED_CODES = 10_000


class RejectedCodeLimiter:
    def __init__(self, clock: Clock, *, on_limited: LimitObserver = ignore_limit) -> None:
        window = REJECTION_WINDOW.total_seconds()

        def limit(max_failures: int, max_failures_and_running: int) -> FailureLimit:
            return FailureLimit(
                max_failures=max_failures,
                max_failures_and_running=max_failures_and_running,
                window_seconds=window,
                clock=clock,
            )

        self._limits = {
            "code_state": limit(MAX_REJECTED_CODES, MAX_REJECTED_CODES),
            "code_user": limit(MAX_REJECTED_CODES_PER_USER, MAX_REJECTED_CODES_PER_USER),
            "code_peer": limit(MAX_REJECTED_CODES_PER_PEER, MAX_REJECTED_AND_RUNNING_PER_PEER),
        }
        self._reporter = LimitReporter(clock=clock, on_limited=on_limited)
        self._admitted: dict[str, None] = {}

    @contextmanager
    def admit(self, code_hash: str, oauth_state: OAuthState, *, peer: str | None) -> Iterator[None]:
        """Raises `RateLimited` before the block. Counts the code if the block raises `CodeSpent`.

        `peer` is None if the address does not identify the caller, or if the caller is a server.
        """
        if code_hash in self._admitted:
            yield
            return
        # The nonce and not the text, because one state can be written in many ways.
        named = {
            "code_state": oauth_state.nonce,
            "code_user": oauth_state.user_id,
            "code_peer": peer,
        }
        keys = {name: key for name, key in named.items() if key is not None}
        self._check(keys, peer=peer)
        counted = [(self._limits[name], key) for name, key in keys.items()]
        self._remember(code_hash)
        with ExitStack() as running:
            for limit, key in counted:
                running.enter_context(limit.running(key))
            try:
                yield
            except CodeSpent:
                for limit, key in counted:
                    limit.record_failure(key)
                raise

    def _check(self, keys: dict[str, str], *, peer: str | None) -> None:
        for name, key in keys.items():
            seconds = self._limits[name].seconds_to_wait(key)
            if seconds > 0:
                self._reporter.report(name, peer=peer)
                raise RateLimited(
                    "TikTok rejected too many codes, so this code was not sent. Wait, then start again.",
                    retry_after=seconds,
                )

    def _remember(self, code_hash: str) -> None:
        self._admitted[code_hash] = None
        if len(self._admitted) > MAX_REMEMBERED_CODES:
            oldest = next(iter(self._admitted))
            del self._admitted[oldest]
