"""The value of `user_accounts.tiktok_access_token`, in the form that the operator chose."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from connector.encryption import (
    TokenCipher,
    stored_tokens_associated_data,
    user_account_associated_data,
)
from connector.model import StoredTokens, UserId

UserAccountsTokenMode = Literal["encrypted", "plain", "none"]


class UserAccountsToken:
    def __init__(self, mode: UserAccountsTokenMode, cipher: TokenCipher) -> None:
        self._mode = mode
        self._cipher = cipher

    def for_access_token(self, access: SecretStr, user_id: UserId) -> str | None:
        if self._mode == "none":
            return None
        if self._mode == "plain":
            return access.get_secret_value()
        return self._cipher.encrypt(
            access.get_secret_value(), associated_data=user_account_associated_data(user_id)
        )

    def for_stored_tokens(self, stored: StoredTokens) -> str | None:
        if self._mode == "none" or stored.encrypted_tokens is None:
            return None
        tokens = self._cipher.decrypt_tokens(
            stored.encrypted_tokens, associated_data=stored_tokens_associated_data(stored)
        )
        return self.for_access_token(tokens.access, stored.user_id)
