"""The secrets of one endpoint: the current secret, and at most one old secret with its end.

They are stored as one ciphertext: `[{"secret": "whsec_…", "until": null}, {"secret": …, "until": "<time>"}]`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from connector.encryption import TokenCipher, endpoint_associated_data
from connector.model import Ciphertext, format_utc

from .signing import SigningKey, parse_secret


@dataclass(frozen=True)
class EndpointSecret:
    secret: SecretStr
    until: datetime | None = None
    """None for the current secret."""


def encrypt_secrets(
    secrets: Sequence[EndpointSecret], *, endpoint_id: str, cipher: TokenCipher
) -> Ciphertext:
    text = json.dumps(
        [
            {
                "secret": entry.secret.get_secret_value(),
                "until": entry.until and format_utc(entry.until),
            }
            for entry in secrets
        ]
    )
    return cipher.encrypt(text, associated_data=endpoint_associated_data(endpoint_id))


def decrypt_secrets(
    ciphertext: Ciphertext, *, endpoint_id: str, cipher: TokenCipher
) -> list[EndpointSecret]:
    """The current secret is the first."""
    text = cipher.decrypt(ciphertext, associated_data=endpoint_associated_data(endpoint_id))
    return [
        EndpointSecret(
            SecretStr(entry["secret"]),
            entry["until"] and datetime.fromisoformat(entry["until"]),
        )
        for entry in json.loads(text)
    ]


class SigningKeys:
    """Decrypts the secrets of endpoints, each ciphertext once."""

    def __init__(self, cipher: TokenCipher) -> None:
        self._cipher = cipher
        self._cache: dict[str, tuple[Ciphertext, list[tuple[SigningKey, datetime | None]]]] = {}

    def find(self, endpoint_id: str, ciphertext: Ciphertext, *, now: datetime) -> list[SigningKey]:
        """Returns the keys that sign at this time. Raises `DecryptionFailed`."""
        cached = self._cache.get(endpoint_id)
        if cached is None or cached[0] != ciphertext:
            secrets = decrypt_secrets(ciphertext, endpoint_id=endpoint_id, cipher=self._cipher)
            keys = [(parse_secret(entry.secret), entry.until) for entry in secrets]
            cached = self._cache[endpoint_id] = (ciphertext, keys)
        return [key for key, until in cached[1] if until is None or now < until]
