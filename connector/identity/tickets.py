"""Signed tickets and session cookies: an HMAC over a kind, an expiry and the ids they are valid for.

The kind is signed too, so a ticket of one kind is never accepted as another:

    user             in a connect link; authenticates one user
    selection        only selects the advertiser of one connection
    session          a user's session cookie
    server session   a server's session cookie

A user ticket and a user's session may also contain the name that our pages show for the user.
A ticket or session that an API key caused is signed with that key's binding too. It is invalid as soon as
the operator removes the key or changes its scopes. A session cookie is not accepted as a ticket, and a
ticket is not accepted as a session cookie. So neither can be exchanged for a longer-lived credential.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from connector.clock import Clock
from connector.errors import CredentialsExpired, Unauthenticated
from connector.model import Principal, UserId

from .api_keys import ApiKey, ApiKeys

PREFIX = "ct_"
TICKET_LIFETIME = timedelta(minutes=30)
MAX_SESSION_LIFETIME = timedelta(hours=8)

USER, SELECTION, SESSION, SERVER_SESSION = b"u", b"a", b"s", b"S"
HEADER_BYTES, MAC_BYTES = 9, 32
UUID_BYTES = 16
SESSION_ID_BYTES = 8
NO_BINDING = bytes(32)
NAME_SEPARATOR = b"\0"
"""Between the user id and the display name. A user id consists of printable characters."""


@dataclass(frozen=True)
class Ticket:
    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class _VerifiedTicket:
    kind: bytes
    content: bytes
    expires_at: datetime
    api_key: ApiKey | None


class Tickets:
    def __init__(self, keys: tuple[bytes, ...], *, api_keys: ApiKeys, clock: Clock) -> None:
        """The first key signs, and all keys verify."""
        self._keys = keys
        self._api_keys = api_keys
        self._clock = clock

    def issue(
        self,
        user_id: UserId,
        *,
        connection_id: str | None = None,
        lifetime: timedelta = TICKET_LIFETIME,
        api_key: str | None = None,
        display_name: str | None = None,
    ) -> Ticket:
        """Issues a selection ticket if a connection is given, else a user ticket. `api_key` is the name of
        the key that asked for the ticket."""
        expires_at = self._clock.now() + lifetime
        if connection_id is None:
            content = _named_user(user_id, display_name)
            return self._encode(USER, content, expires_at, api_key=api_key)
        content = UUID(connection_id).bytes + user_id.encode()
        return self._encode(SELECTION, content, expires_at, api_key=api_key)

    def issue_session(self, principal: Principal) -> Ticket:
        """A random id makes two sessions of one second different, so that each can be ended by itself."""
        if principal.selection_for is not None:
            raise ValueError("a selection ticket cannot be exchanged for a session")
        latest = self._clock.now() + MAX_SESSION_LIFETIME
        expires_at = min(principal.expires_at or latest, latest)
        content, kind = secrets.token_bytes(SESSION_ID_BYTES), SERVER_SESSION
        if principal.user_id is not None:
            named_user = _named_user(principal.user_id, principal.display_name)
            content, kind = content + named_user, SESSION
        return self._encode(kind, content, expires_at, api_key=principal.api_key)

    def verify(self, text: str) -> Principal:
        ticket = self._decode(text)
        if ticket.kind == USER:
            return _user_principal(ticket, ticket.content)
        if ticket.kind == SELECTION:
            connection_id, user_id = ticket.content[:UUID_BYTES], ticket.content[UUID_BYTES:]
            return _user_principal(ticket, user_id, selection_for=str(UUID(bytes=connection_id)))
        raise Unauthenticated("A session is only accepted as a cookie. Ask for a new link.")

    def verify_session(self, text: str) -> Principal:
        """Does not check if the session was ended: `BrowserSessions.verify` does."""
        ticket = self._decode(text)
        if ticket.kind == SERVER_SESSION and ticket.api_key is not None:
            return server_principal(ticket.api_key, expires_at=ticket.expires_at)
        if ticket.kind != SESSION:
            raise Unauthenticated("This is not a session.")
        return _user_principal(ticket, ticket.content[SESSION_ID_BYTES:])

    def _encode(
        self, kind: bytes, content: bytes, expires_at: datetime, *, api_key: str | None
    ) -> Ticket:
        expires_at = expires_at.replace(microsecond=0)
        body = kind + int(expires_at.timestamp()).to_bytes(8, "big") + content
        bound_key = None if api_key is None else self._api_keys.by_name(api_key)
        signed = body + _mac(self._keys[0], body, bound_key)
        text = PREFIX + base64.urlsafe_b64encode(signed).decode().rstrip("=")
        return Ticket(text, expires_at)

    def _decode(self, text: str) -> _VerifiedTicket:
        signed = signed_bytes(text)
        body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        bound_keys = [
            api_key
            for api_key in (None, *self._api_keys)
            for key in self._keys
            if hmac.compare_digest(mac, _mac(key, body, api_key))
        ]
        if not bound_keys:
            raise Unauthenticated(
                "This ticket is damaged, another service issued it, or the API key that issued it was "
                "withdrawn. Ask for a new link."
            )
        expires_at = datetime.fromtimestamp(int.from_bytes(body[1:HEADER_BYTES], "big"), UTC)
        if self._clock.now() >= expires_at:
            raise CredentialsExpired("This link has expired. Ask for a new one.")
        return _VerifiedTicket(body[:1], body[HEADER_BYTES:], expires_at, bound_keys[0])


def signed_bytes(text: str) -> bytes:
    """Returns the body and the MAC. Returns nothing if the text is not base64."""
    encoded = text.removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except ValueError:
        return b""


def server_principal(api_key: ApiKey, *, expires_at: datetime | None = None) -> Principal:
    return Principal(
        "server",
        api_key.name,
        expires_at=expires_at,
        scopes=api_key.scopes,
        api_key=api_key.name,
    )


def _mac(key: bytes, body: bytes, api_key: ApiKey | None) -> bytes:
    """The binding comes first and has a fixed length, so that no body can be taken for a binding."""
    binding = NO_BINDING if api_key is None else api_key.binding
    return hmac.digest(key, binding + body, sha256)


def _named_user(user_id: UserId, display_name: str | None) -> bytes:
    if display_name is None:
        return user_id.encode()
    return user_id.encode() + NAME_SEPARATOR + display_name.encode()


def _user_principal(
    ticket: _VerifiedTicket, named_user: bytes, *, selection_for: str | None = None
) -> Principal:
    user_id, _, display_name = named_user.partition(NAME_SEPARATOR)
    return Principal(
        "user",
        "user",
        UserId(user_id.decode()),
        selection_for,
        ticket.expires_at,
        api_key=None if ticket.api_key is None else ticket.api_key.name,
        display_name=display_name.decode() or None,
    )
