"""Encrypts stored tokens with AES-256-GCM. Associated data binds each ciphertext to its row."""

from __future__ import annotations

from .cipher import (
    DecryptionFailed,
    TokenCipher,
    connection_associated_data,
    dump_tokens,
    endpoint_associated_data,
    is_encrypted,
    key_id_of,
    load_tokens,
    pending_grant_associated_data,
    stored_tokens_associated_data,
    user_account_associated_data,
)
from .keys import KEY_FORMAT_HELP, EncryptionKey, InvalidKey

__all__ = [
    "KEY_FORMAT_HELP",
    "DecryptionFailed",
    "EncryptionKey",
    "InvalidKey",
    "TokenCipher",
    "connection_associated_data",
    "dump_tokens",
    "endpoint_associated_data",
    "is_encrypted",
    "key_id_of",
    "load_tokens",
    "pending_grant_associated_data",
    "stored_tokens_associated_data",
    "user_account_associated_data",
]
