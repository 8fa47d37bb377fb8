"""Signed tickets and session cookies: an HMAC over a kind, an expiry and the ids they are valid for.

The kind is signed too, so a ticket of one kind is never accepted as another:

    user             in a connect link; authenticates one user
    selection        only selects the advertiser of one connection
    session          a user's session cookie
    server session   a server's session cookie, bound to the API key that created the session: the
                     cookie is invalid as soon as the operator removes that key

A session cookie is not accepted as a ticket, and a ticket is not accepted as a session cookie. So neither
can be exchanged for a longer-lived credential.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal, UserId

PREFIX = "ct_"
TICKET_LIFETIME = timedelta(minutes=30)
SERVER_SESSION_LIFETIME = timedelta(hours=8)

USER, SELECTION, SESSION, SERVER_SESSION = b"u", b"a", b"s", b"S"
HEADER_BYTES, MAC_BYTES = 9, 32
UUID_BYTES = 16


@dataclass(frozen=True)
class Ticket:
    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class _VerifiedTicket:
    kind: bytes
    content: bytes
    expires_at: datetime


class Tickets:
    def __init__(
        self, keys: tuple[bytes, ...], *, api_keys: Mapping[str, bytes], clock: Clock
    ) -> None:
        """The first key signs, and all keys verify. `api_keys` maps the name of an API key to its digest."""
        self._keys = keys
        self._api_keys = api_keys
        self._clock = clock

    def issue(
        self,
        user_id: UserId,
        *,
        connection_id: str | None = None,
        lifetime: timedelta = TICKET_LIFETIME,
    ) -> Ticket:
        """Issues a selection ticket if a connection is given, else a user ticket."""
        expires_at = self._clock.now() + lifetime
        if connection_id is None:
            return self._encode(USER, user_id.encode(), expires_at)
        content = UUID(connection_id).bytes + user_id.encode()
        return self._encode(SELECTION, content, expires_at)

    def issue_session(self, principal: Principal) -> Ticket:
        now = self._clock.now()
        if principal.selection_for is not None:
            raise ValueError("a selection ticket cannot be exchanged for a session")
        if principal.user_id is None:
            expires_at = now + SERVER_SESSION_LIFETIME
            digest = self._api_keys[principal.actor]
            return self._encode(SERVER_SESSION, b"", expires_at, bound_api_key=digest)
        expires_at = max(principal.expires_at or now, now + TICKET_LIFETIME)
        return self._encode(SESSION, principal.user_id.encode(), expires_at)

    def verify(self, text: str) -> Principal:
        ticket = self._decode(text)
        if ticket.kind == USER:
            return _user_principal(ticket, ticket.content)
        if ticket.kind == SELECTION:
            connection_id, user_id = ticket.content[:UUID_BYTES], ticket.content[UUID_BYTES:]
            return _user_principal(ticket, user_id, selection_for=str(UUID(bytes=connection_id)))
        raise Unauthenticated("A session is only accepted as a cookie. Ask for a new link.")

    def verify_session(self, text: str) -> Principal:
        for name, digest in self._api_keys.items():
            if self._mac_matches(text, digest):
                ticket = self._decode(text, bound_api_key=digest)
                if ticket.kind == SERVER_SESSION:
                    return Principal("server", name, expires_at=ticket.expires_at)
        ticket = self._decode(text)
        if ticket.kind != SESSION:
            raise Unauthenticated("This is not a session.")
        return _user_principal(ticket, ticket.content)

    def _encode(
        self, kind: bytes, content: bytes, expires_at: datetime, *, bound_api_key: bytes = b""
    ) -> Ticket:
        expires_at = expires_at.replace(microsecond=0)
        body = kind + int(expires_at.timestamp()).to_bytes(8, "big") + content
        signed = body + hmac.digest(self._keys[0], body + bound_api_key, sha256)
        text = PREFIX + base64.urlsafe_b64encode(signed).decode().rstrip("=")
        return Ticket(text, expires_at)

    def _decode(self, text: str, *, bound_api_key: bytes = b"") -> _VerifiedTicket:
        if not self._mac_matches(text, bound_api_key):
            raise Unauthenticated(
                "This ticket is damaged or another service issued it. Ask for a new link."
            )
        body = _signed_bytes(text)[:-MAC_BYTES]
        expires_at = datetime.fromtimestamp(int.from_bytes(body[1:HEADER_BYTES], "big"), UTC)
        if self._clock.now() >= expires_at:
            raise Unauthenticated("This link has expired. Ask for a new one.")
        return _VerifiedTicket(body[:1], body[HEADER_BYTES:], expires_at)

    def _mac_matches(self, text: str, bound_api_key: bytes) -> bool:
        signed = _signed_bytes(text)
        body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        expected = [hmac.digest(key, body + bound_api_key, sha256) for key in self._keys]
        return any(hmac.compare_digest(mac, candidate) for candidate in expected)


def _signed_bytes(text: str) -> bytes:
    """Returns the body and the MAC. Returns nothing if the text is not base64."""
    encoded = text.removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except ValueError:
        return b""


def _user_principal(
    ticket: _VerifiedTicket, user_id: bytes, *, selection_for: str | None = None
) -> Principal:
    return Principal("user", "user", UserId(user_id.decode()), selection_for, ticket.expires_at)
