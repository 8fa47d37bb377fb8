"""Signs the events that are sent, as Standard Webhooks describes it.

The signed text is `id.timestamp.body`, and the signature is HMAC-SHA256 with the decoded secret. A secret is
`whsec_` and the base64 of 32 random bytes. While an old secret is still valid, the header has two signatures.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from typing import NewType

from pydantic import SecretStr

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every secret
SECRET_BYTES = 32
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
"""The limits of Standard Webhooks for a secret that the operator brings."""

SigningKey = NewType("SigningKey", bytes)
"""The decoded bytes of a secret."""


class InvalidSecret(ValueError):
    """The message names the reason and never contains the secret."""


def new_secret() -> SecretStr:
    return SecretStr(SECRET_PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode())


def parse_secret(secret: SecretStr) -> SigningKey:
    text = secret.get_secret_value()
    if not text.startswith(SECRET_PREFIX):
        raise InvalidSecret(f"The secret does not start with {SECRET_PREFIX}.")
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise InvalidSecret(f"What follows {SECRET_PREFIX} is not base64.") from None
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise InvalidSecret(
            f"The secret has {len(key)} bytes, not {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}."
        )
    return SigningKey(key)


def signed_headers(
    keys: Sequence[SigningKey], *, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Returns the three headers of Standard Webhooks, with one signature for each key."""
    signed_text = f"{message_id}.{timestamp}.".encode() + body
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join([_sign(key, signed_text) for key in keys]),
    }


def _sign(key: SigningKey, signed_text: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed_text, "sha256")).decode()
