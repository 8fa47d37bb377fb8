"""Builds the associated data that binds a ciphertext to its row.

A ciphertext that is copied to another row cannot be decrypted there. The values are the rows' natural
keys, which never change.
"""

from __future__ import annotations

from connector.model import StoredTokens, UserId


def connection_associated_data(user_id: UserId, family: str, tiktok_user_id: str) -> str:
    return f"{user_id}/{family}/{tiktok_user_id}"


def user_account_associated_data(user_id: UserId) -> str:
    return f"user_accounts/{user_id}"


def pending_grant_associated_data(code_hash: str) -> str:
    return f"codes/{code_hash}"


def stored_tokens_associated_data(stored: StoredTokens) -> str:
    return connection_associated_data(stored.user_id, stored.family, stored.tiktok_user_id)
