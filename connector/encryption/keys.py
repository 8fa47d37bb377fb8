"""Parses and generates encryption keys: `id:base64`, 32 bytes each."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field

KEY_BYTES = 32

KEY_ID = re.compile("[A-Za-z0-9_-]{1,32}")
"""Shorter than any key. So a message about an id cannot show a key that was set instead of an id."""

KEY_FORMAT_HELP = "each key is id:base64, the id of at most 32 letters, digits, - and _"


class InvalidKey(ValueError):
    """The message names the reason and never contains the key."""


@dataclass(frozen=True)
class EncryptionKey:
    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not KEY_ID.fullmatch(self.id):
            raise InvalidKey(KEY_FORMAT_HELP)
        if len(self.secret) != KEY_BYTES:
            raise InvalidKey(f"key {self.id} has {len(self.secret)} bytes, not {KEY_BYTES}")

    @classmethod
    def generate(cls, id: str) -> EncryptionKey:
        return cls(id, os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> EncryptionKey:
        id, colon, encoded = text.strip().partition(":")
        if not colon or not KEY_ID.fullmatch(id):
            raise InvalidKey(KEY_FORMAT_HELP)
        try:
            secret = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise InvalidKey(f"key {id} is not base64") from None
        return cls(id, secret)

    def format(self) -> str:
        return f"{self.id}:{base64.b64encode(self.secret).decode()}"
