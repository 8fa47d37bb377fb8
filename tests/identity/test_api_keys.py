"""An API key is a bare key, or has a name and scopes."""

from __future__ import annotations

from hashlib import sha256

import pytest

from connector.identity.api_keys import ApiKey, ApiKeys, InvalidApiKey
from connector.model import ALL_KEY_SCOPES

KEY = "0123456789abcdef_-"
DIGEST = sha256(KEY.encode()).hexdigest()


@pytest.mark.parametrize("text", [KEY, f"sha256:{DIGEST}"])
def test_a_bare_key_has_all_scopes_and_is_named_after_its_digest(text: str) -> None:
    key = ApiKey.parse(text)
    assert (key.name, key.scopes) == (f"key-{DIGEST[:8]}", ALL_KEY_SCOPES)
    assert key.digest.hex() == DIGEST


@pytest.mark.parametrize("text", [KEY, f"sha256:{DIGEST}"])
def test_a_key_can_have_a_name_and_scopes(text: str) -> None:
    key = ApiKey.parse(f"billing:tokens+read:{text}")
    assert (key.name, key.scopes) == ("billing", frozenset({"read", "tokens"}))
    assert key.digest.hex() == DIGEST


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("short", "at least 16"),
        (f"{KEY}+", "at least 16"),
        (f"sha256:{DIGEST[1:]}", "neither a key"),
        (f"sha256:{DIGEST.upper()}", "neither a key"),
        (f"billing:{KEY}", "neither a key"),
        (f":read:{KEY}", "name of the key"),
        (f"a b:read:{KEY}", "name of the key"),
        (f"user:read:{KEY}", "word that stands for"),
        (f"billing::{KEY}", "scope is unknown"),
        (f"billing:admin:{KEY}", "scope is unknown"),
        (f"billing:read+read:{KEY}", "scope is unknown or occurs twice"),
        ("billing:read:short", "at least 16"),
        (f"billing:read:sha256:{DIGEST[1:]}", "sha256: and 64 hex digits"),
    ],
)
def test_an_invalid_entry_is_refused_with_a_sentence_that_does_not_repeat_the_key(
    text: str, message: str
) -> None:
    with pytest.raises(InvalidApiKey, match=message) as caught:
        ApiKey.parse(text)
    assert KEY not in caught.value.message + caught.value.remedy


def test_the_digest_of_a_key_is_not_a_key() -> None:
    keys = ApiKeys((ApiKey.parse(f"sha256:{DIGEST}"),))
    assert keys.find(KEY)
    assert keys.find(DIGEST) is None
    assert keys.find(f"sha256:{DIGEST}") is None


def test_the_repr_of_a_key_contains_neither_the_key_nor_its_digest() -> None:
    text = repr(ApiKey.parse(f"billing:read:{KEY}"))
    assert KEY not in text
    assert DIGEST not in text
