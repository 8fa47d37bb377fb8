"""The API keys of the customer's servers: each has a name, scopes and a digest.

A key is compared by its digest, in constant time. The name is shown wherever the service says who did
something; the key itself is never shown.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from pydantic import SecretStr

from connector.model import ALL_KEY_SCOPES, KeyScope

KEY = re.compile(r"[A-Za-z0-9_-]{16,}")
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED_NAMES = frozenset({"user", "person", "background"})
"""Attempts show these words for callers that have no key."""

CREATE_API_KEY = "Create a key with: openssl rand -hex 32"
FORMAT_REMEDY = f"Write a key, or name:scopes:key with scopes such as read+write. {CREATE_API_KEY}"
SCOPES_REMEDY = f"Join scopes with +, out of {', '.join(sorted(ALL_KEY_SCOPES))}."


class InvalidApiKey(Exception):
    """The message never repeats the text, because the text contains a key."""

    def __init__(self, message: str, remedy: str = FORMAT_REMEDY) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class ApiKey:
    name: str
    scopes: frozenset[KeyScope]
    digest: bytes = field(repr=False)
    secret: SecretStr | None = field(default=None, repr=False)
    """None if only the digest of the key is configured."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `key` or `name:scopes:key`. The key may be written as `sha256:` and its digest."""
        if KEY.fullmatch(text) or DIGEST.fullmatch(text):
            digest = _parse_digest(text)
            return cls(f"key-{digest.hex()[:8]}", ALL_KEY_SCOPES, digest, _secret(text))
        name, _, rest = text.partition(":")
        scopes, _, key = rest.partition(":")
        if not key:
            raise InvalidApiKey(
                "The entry is neither a key of at least 16 letters, digits, - and _ nor name:scopes:key."
            )
        return cls(_parse_name(name), _parse_scopes(scopes), _parse_digest(key), _secret(key))

    @property
    def binding(self) -> bytes:
        """Is part of the signature of a ticket or session of this key. Changes with the key and its scopes."""
        return sha256(self.digest + "+".join(sorted(self.scopes)).encode()).digest()


class ApiKeys:
    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys)

    def find(self, text: str) -> ApiKey | None:
        """Compares with every key in constant time, so that the duration reveals nothing."""
        digest = digest_of(text)
        matches = [key for key in self._keys if hmac.compare_digest(digest, key.digest)]
        return matches[0] if matches else None

    def by_name(self, name: str) -> ApiKey:
        return next(key for key in self._keys if key.name == name)


def digest_of(text: str) -> bytes:
    """Digests have equal lengths. A header may contain bytes that are not valid UTF-8."""
    return sha256(text.encode(errors="surrogatepass")).digest()


def _parse_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InvalidApiKey(
            "The name of the key is not 1 to 64 letters, digits, dots, - and _.",
            "Write name:scopes:key.",
        )
    if name in RESERVED_NAMES:
        raise InvalidApiKey(
            "The name of the key is a word that stands for callers without a key.",
            "Choose another name.",
        )
    return name


def _parse_scopes(text: str) -> frozenset[KeyScope]:
    words = text.split("+")
    scopes = frozenset(scope for scope in ALL_KEY_SCOPES if scope in words)
    if len(scopes) != len(words):
        raise InvalidApiKey("A scope is unknown or occurs twice.", SCOPES_REMEDY)
    return scopes


def _parse_digest(key: str) -> bytes:
    if match := DIGEST.fullmatch(key):
        return bytes.fromhex(match[1])
    if not KEY.fullmatch(key):
        raise InvalidApiKey(
            "The key is not at least 16 letters, digits, - and _, nor sha256: and 64 hex digits.",
            CREATE_API_KEY,
        )
    return digest_of(key)


def _secret(key: str) -> SecretStr | None:
    return None if DIGEST.fullmatch(key) else SecretStr(key)
