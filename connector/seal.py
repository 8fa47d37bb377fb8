"""Tokens at rest, and the keys everything secret hangs on.

An envelope reads `v1.<key id>.<base64url>` and holds AES-256-GCM over the tokens, bound to the row
it belongs to: moved to another row it does not open. The first key seals, all of them open, so a
key is replaced by putting the new one in front and re-sealing. What has to be signed rather than
sealed gets keys of its own, derived per purpose, never the sealing key itself.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from .errors import Misconfigured
from .model import Sealed, Tokens

log = logging.getLogger(__name__)

COMPACT = json.JSONEncoder(separators=(",", ":"))
KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = "v1"

KEY_ID = re.compile("[A-Za-z0-9_-]{1,32}")
"""Shorter than any key, so that no sentence about an id can show a key written in its place."""

KEY_FORM = "each key is id:base64, the id of at most 32 letters, digits, - and _"


class BadKey(ValueError):
    """A key that cannot be used; the sentence says why and never holds the key."""


class Unopenable(Misconfigured):
    """The envelope is damaged, belongs to another row, or its key is no longer configured."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The token cannot be opened with the keys configured; the operator has to look.",
            detail=detail,
        )


@dataclass(frozen=True)
class Key:
    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not KEY_ID.fullmatch(self.id):
            raise BadKey(KEY_FORM)
        if len(self.secret) != KEY_BYTES:
            raise BadKey(f"key {self.id} has {len(self.secret)} bytes, not {KEY_BYTES}")

    @classmethod
    def new(cls, id: str) -> Key:
        return cls(id, os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Key:
        id, colon, encoded = text.strip().partition(":")
        if not colon or not KEY_ID.fullmatch(id):
            raise BadKey(KEY_FORM)
        try:
            secret = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise BadKey(f"key {id} is not base64") from None
        return cls(id, secret)

    def text(self) -> str:
        return f"{self.id}:{base64.b64encode(self.secret).decode()}"


class Seal:
    def __init__(self, keys: tuple[Key, ...]) -> None:
        if not keys:
            raise BadKey("at least one encryption key is needed")
        if len({key.id for key in keys}) != len(keys):
            raise BadKey("two encryption keys have the same id")
        self._keys = keys
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}
        self._told: set[str] = set()

    def seal(self, tokens: Tokens, *, bound_to: str) -> Sealed:
        return self.seal_text(text_of(tokens), bound_to=bound_to)

    def open(self, sealed: Sealed, *, bound_to: str) -> Tokens:
        return tokens_in(self.open_text(sealed, bound_to=bound_to))

    def seal_text(self, text: str, *, bound_to: str) -> Sealed:
        key_id = self._keys[0].id
        nonce = os.urandom(NONCE_BYTES)
        box = self._ciphers[key_id].encrypt(nonce, text.encode(), _bond(key_id, bound_to))
        return Sealed(f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + box).decode()}")

    def open_text(self, sealed: Sealed, *, bound_to: str) -> str:
        try:
            return self._opened(sealed, bound_to=bound_to)
        except Unopenable as error:
            # Once for each way to fail: a lost key fails for every row there is.
            if error.detail not in self._told:
                self._told.add(error.detail)
                log.warning("could not open what is sealed because=%s", error.detail)
            raise

    def _opened(self, sealed: Sealed, *, bound_to: str) -> str:
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version != VERSION or not KEY_ID.fullmatch(key_id):
            raise Unopenable("What should be a sealed token is not one.")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Unopenable(
                f"A token is sealed under key {key_id}, which CONNECTOR_ENCRYPTION_KEYS lacks."
            )
        try:
            box = base64.b64decode(encoded, altchars=b"-_", validate=True)
            text = cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bond(key_id, bound_to))
        except (InvalidTag, ValueError):
            raise Unopenable("A sealed token is damaged or belongs to another row.") from None
        return text.decode()

    def is_newest(self, sealed: str) -> bool:
        return sealed.startswith(f"{VERSION}.{self._keys[0].id}.")

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """One signing key per sealing key, newest first: the first signs, all of them verify."""
        return tuple(
            HKDF(SHA256(), KEY_BYTES, salt=None, info=b"connector " + purpose.encode()).derive(
                key.secret
            )
            for key in self._keys
        )


def is_sealed(text: str) -> bool:
    return text.startswith(f"{VERSION}.")


def _bond(key_id: str, bound_to: str) -> bytes:
    return f"{VERSION}.{key_id}|{bound_to}".encode()


def text_of(tokens: Tokens) -> str:
    """To be sealed at once."""
    return COMPACT.encode(
        {
            "access": tokens.access.get_secret_value(),
            "refresh": tokens.refresh.get_secret_value() if tokens.refresh else None,
            "expires": tokens.expires_at and tokens.expires_at.timestamp(),
            "refresh_expires": tokens.refresh_expires_at and tokens.refresh_expires_at.timestamp(),
            "issued": tokens.issued_at and tokens.issued_at.timestamp(),
        },
    )


def tokens_in(text: str) -> Tokens:
    kept = json.loads(text)
    return Tokens(
        access=SecretStr(kept["access"]),
        refresh=SecretStr(kept["refresh"]) if kept["refresh"] else None,
        expires_at=_time(kept["expires"]),
        refresh_expires_at=_time(kept["refresh_expires"]),
        issued_at=_time(kept["issued"]),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
