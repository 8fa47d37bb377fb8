"""Encrypts tokens with AES-256-GCM, converts tokens to JSON, and builds the associated data.

A ciphertext has the form `v1.<key id>.<base64url>`. The first key encrypts and all keys decrypt. The steps
that replace a key are in `connector/maintenance/rotation_step.py`. A signature never uses an
encryption key itself: its key is derived from the encryption key for one purpose.

Associated data binds a ciphertext to its row: a ciphertext that is copied to another row cannot be
decrypted there. The values identify the row and never change.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from connector.errors import ConfigurationError
from connector.model import Ciphertext, StoredTokens, Tokens, UserId

from .keys import KEY_BYTES, KEY_ID, EncryptionKey, InvalidKey

log = logging.getLogger(__name__)

NONCE_BYTES = 12
ENVELOPE_VERSION = "v1"
COMPACT_JSON = json.JSONEncoder(separators=(",", ":"))


class DecryptionFailed(ConfigurationError):
    """The ciphertext is damaged, belongs to another row, or its key is not configured any more."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The token cannot be decrypted with the configured keys; the operator has to look.",
            detail=detail,
        )


class TokenCipher:
    def __init__(self, keys: tuple[EncryptionKey, ...]) -> None:
        if not keys:
            raise InvalidKey("at least one encryption key is needed")
        if len({key.id for key in keys}) != len(keys):
            raise InvalidKey("two encryption keys have the same id")
        self._keys = keys
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}
        self._logged_errors: set[str] = set()
        self.has_missed_key = False
        """True after a ciphertext under a key that this process lacks: another replica has a newer list."""

    def encrypt_tokens(self, tokens: Tokens, *, associated_data: str) -> Ciphertext:
        return self.encrypt(dump_tokens(tokens), associated_data=associated_data)

    def decrypt_tokens(self, ciphertext: Ciphertext, *, associated_data: str) -> Tokens:
        return load_tokens(self.decrypt(ciphertext, associated_data=associated_data))

    def encrypt(self, text: str, *, associated_data: str) -> Ciphertext:
        key_id = self._keys[0].id
        nonce = os.urandom(NONCE_BYTES)
        encrypted = self._ciphers[key_id].encrypt(
            nonce, text.encode(), _associated_data(key_id, associated_data)
        )
        encoded = base64.urlsafe_b64encode(nonce + encrypted).decode()
        return Ciphertext(f"{ENVELOPE_VERSION}.{key_id}.{encoded}")

    def decrypt(self, ciphertext: Ciphertext, *, associated_data: str) -> str:
        try:
            return self._decrypt(ciphertext, associated_data=associated_data)
        except DecryptionFailed as error:
            # Each cause is logged once, because a missing key fails for every row.
            if error.detail not in self._logged_errors:
                self._logged_errors.add(error.detail)
                log.warning("decryption failed error=%s", error.detail)
            raise

    def _decrypt(self, ciphertext: Ciphertext, *, associated_data: str) -> str:
        version, _, rest = ciphertext.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version != ENVELOPE_VERSION or not KEY_ID.fullmatch(key_id):
            raise DecryptionFailed("The stored text is not an encrypted token.")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            self.has_missed_key = True
            raise DecryptionFailed(
                f"A token is encrypted under key {key_id}, which CONNECTOR_ENCRYPTION_KEYS lacks."
            )
        try:
            envelope = base64.b64decode(encoded, altchars=b"-_", validate=True)
            nonce, encrypted = envelope[:NONCE_BYTES], envelope[NONCE_BYTES:]
            text = cipher.decrypt(nonce, encrypted, _associated_data(key_id, associated_data))
        except (InvalidTag, ValueError):
            raise DecryptionFailed(
                "An encrypted token is damaged or belongs to another row."
            ) from None
        return text.decode()

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The key that encrypts is the first."""
        return tuple(key.id for key in self._keys)

    def uses_first_key(self, ciphertext: str) -> bool:
        return ciphertext.startswith(f"{ENVELOPE_VERSION}.{self._keys[0].id}.")

    def derive_signing_keys(self, purpose: str) -> tuple[bytes, ...]:
        """Returns one signing key for each encryption key, newest first.

        The first key signs, and all keys verify.
        """
        return tuple(
            HKDF(SHA256(), KEY_BYTES, salt=None, info=b"connector " + purpose.encode()).derive(
                key.secret
            )
            for key in self._keys
        )


def is_encrypted(text: str) -> bool:
    return text.startswith(f"{ENVELOPE_VERSION}.")


def key_id_of(ciphertext: str) -> str:
    return ciphertext.split(".", 2)[1]


def _associated_data(key_id: str, associated_data: str) -> bytes:
    return f"{ENVELOPE_VERSION}.{key_id}|{associated_data}".encode()


def connection_associated_data(user_id: UserId, family: str, tiktok_user_id: str) -> str:
    # A user id may contain a slash. Without the escape, two rows could have the same associated data.
    escaped = user_id.replace("%", "%25").replace("/", "%2F")
    return f"{escaped}/{family}/{tiktok_user_id}"


def user_account_associated_data(user_id: UserId) -> str:
    return f"user_accounts/{user_id}"


def pending_grant_associated_data(code_hash: str) -> str:
    return f"codes/{code_hash}"


def endpoint_associated_data(endpoint_id: str) -> str:
    return f"endpoints/{endpoint_id}"


def stored_tokens_associated_data(stored: StoredTokens) -> str:
    return connection_associated_data(stored.user_id, stored.family, stored.tiktok_user_id)


def dump_tokens(tokens: Tokens) -> str:
    """Returns JSON text, which must never be stored unencrypted."""
    return COMPACT_JSON.encode(
        {
            "access": tokens.access.get_secret_value(),
            "refresh": tokens.refresh.get_secret_value() if tokens.refresh else None,
            "expires": tokens.expires_at and tokens.expires_at.timestamp(),
            "refresh_expires": tokens.refresh_expires_at and tokens.refresh_expires_at.timestamp(),
            "issued": tokens.issued_at and tokens.issued_at.timestamp(),
        },
    )


def load_tokens(text: str) -> Tokens:
    fields = json.loads(text)
    return Tokens(
        access=SecretStr(fields["access"]),
        refresh=SecretStr(fields["refresh"]) if fields["refresh"] else None,
        expires_at=_parse_time(fields["expires"]),
        refresh_expires_at=_parse_time(fields["refresh_expires"]),
        issued_at=_parse_time(fields["issued"]),
    )


def _parse_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
