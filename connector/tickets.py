"""Tickets of our own: they say who somebody is, for a while, to whoever holds the key.

The kind stands inside the signature, so a ticket of one kind is never taken for another: one from a
link (`user`), one that may only pick an advertiser of one connection (`picker`), and what a browser
keeps in its cookie (`session`, `server session`). A session is no ticket and a ticket no session, so
neither can be used to prolong itself through the other's door. A server's session is bound to the API
key it was opened with, and ends when the operator withdraws that key.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from .clock import Clock
from .errors import Unauthenticated
from .model import Principal, UserId

PREFIX = "ct_"
TICKET_LIFE = timedelta(minutes=30)
SERVER_SESSION_LIFE = timedelta(hours=8)

USER, PICKER, SESSION, SERVER_SESSION = b"u", b"p", b"s", b"S"
HEAD, MAC = 9, 32


@dataclass(frozen=True)
class Ticket:
    text: str = field(repr=False)
    expires_at: datetime


class Tickets:
    def __init__(
        self, keys: tuple[bytes, ...], *, servers: Mapping[str, bytes], clock: Clock
    ) -> None:
        """The first key signs, all verify; `servers` are digests of the API keys, by their names."""
        self._keys = keys
        self._servers = servers
        self._clock = clock

    def mint(
        self, user_id: UserId, *, connection_id: str | None = None, life: timedelta = TICKET_LIFE
    ) -> Ticket:
        """For one user; with a connection, good for nothing but picking its advertiser."""
        until = self._clock.now() + life
        if connection_id is None:
            return self._written(USER, UUID(user_id).bytes, until)
        return self._written(PICKER, UUID(user_id).bytes + UUID(connection_id).bytes, until)

    def mint_session(self, principal: Principal) -> Ticket:
        """What a browser keeps instead of the credentials that opened it."""
        now = self._clock.now()
        if principal.connection_id is not None:
            raise ValueError("a picker has no session")
        if principal.user_id is None:
            until = now + SERVER_SESSION_LIFE
            return self._written(SERVER_SESSION, b"", until, self._servers[principal.name])
        until = max(principal.expires_at or now, now + TICKET_LIFE)
        return self._written(SESSION, UUID(principal.user_id).bytes, until)

    def read(self, text: str) -> Principal:
        kind, content, until = self._verified(text)
        if kind == USER:
            return _user(content, until)
        if kind == PICKER:
            return _user(content[:16], until, connection_id=str(UUID(bytes=content[16:])))
        raise Unauthenticated("A session counts in its cookie only. Ask for a new link.")

    def read_session(self, text: str) -> Principal:
        for name, digest in self._servers.items():
            if self._fits(text, digest):
                kind, _, until = self._verified(text, digest)
                if kind == SERVER_SESSION:
                    return Principal("server", name, expires_at=until)
        kind, content, until = self._verified(text)
        if kind != SESSION:
            raise Unauthenticated("This is no session.")
        return _user(content, until)

    def _written(self, kind: bytes, content: bytes, until: datetime, bond: bytes = b"") -> Ticket:
        until = until.replace(microsecond=0)
        body = kind + int(until.timestamp()).to_bytes(8, "big") + content
        signed = body + hmac.digest(self._keys[0], body + bond, sha256)
        return Ticket(PREFIX + base64.urlsafe_b64encode(signed).decode().rstrip("="), until)

    def _fits(self, text: str, bond: bytes) -> bool:
        body, mac = _parts(text)
        macs = [hmac.digest(key, body + bond, sha256) for key in self._keys]
        return any(hmac.compare_digest(mac, expected) for expected in macs)

    def _verified(self, text: str, bond: bytes = b"") -> tuple[bytes, bytes, datetime]:
        if not self._fits(text, bond):
            raise Unauthenticated(
                "This ticket is damaged or was not issued here. Ask for a new link."
            )
        body, _ = _parts(text)
        until = datetime.fromtimestamp(int.from_bytes(body[1:HEAD], "big"), UTC)
        if self._clock.now() >= until:
            raise Unauthenticated("This link has expired. Ask for a new one.")
        return body[:1], body[HEAD:], until


def _parts(text: str) -> tuple[bytes, bytes]:
    encoded = text.removeprefix(PREFIX)
    try:
        signed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except ValueError:
        signed = b""
    return signed[:-MAC], signed[-MAC:]


def _user(content: bytes, until: datetime, *, connection_id: str | None = None) -> Principal:
    user_id = UserId(str(UUID(bytes=content)))
    return Principal("user", "user", user_id, connection_id, until)
