"""The sessions of browsers: a signed cookie, and a row in the store for each session that was ended early.

A signed cookie cannot be revoked, and a cookie may have been copied. So sign-out writes the digest of the
cookie into the store, and every use of a cookie reads the store. API keys, tickets and users' tokens need no
such read.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal
from connector.store import Store

from .tickets import Ticket, Tickets, signed_bytes

MAX_CLOCK_DIFFERENCE = timedelta(hours=1)
"""The row is kept longer than the session, because the clock of a replica may be behind."""


class BrowserSessions:
    def __init__(self, *, tickets: Tickets, store: Store, clock: Clock) -> None:
        self._tickets = tickets
        self._store = store
        self._clock = clock

    def create(self, principal: Principal) -> Ticket:
        return self._tickets.issue_session(principal)

    async def verify(self, cookie: str) -> Principal:
        principal = self._tickets.verify_session(cookie)
        if await self._store.is_session_ended(_session_hash(cookie)):
            raise Unauthenticated("This session has ended. Sign in again.")
        return principal

    async def end(self, cookie: str) -> None:
        principal = self._tickets.verify_session(cookie)
        assert principal.expires_at is not None  # noqa: S101
        await self._store.end_session(
            _session_hash(cookie),
            keep_until=principal.expires_at + MAX_CLOCK_DIFFERENCE,
            now=self._clock.database_time(),
        )


def _session_hash(cookie: str) -> str:
    """Hashes the bytes, because several base64 texts stand for the same bytes."""
    return sha256(signed_bytes(cookie)).hexdigest()
