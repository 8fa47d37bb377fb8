"""The operator decides whether the access token in `user_accounts` is encrypted, plain or absent."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector.advertisers import UserAccountsToken, UserAccountsTokenMode
from connector.encryption import EncryptionKey, TokenCipher
from connector.errors import ConfigurationError
from connector.model import Ciphertext
from tests.credentials import ANNA
from tests.oauth.harness import BEN

TOKEN = SecretStr("canary-access-token")


@pytest.mark.parametrize(("mode", "value"), [("plain", "canary-access-token"), ("none", None)])
def test_the_token_is_plain_or_absent_if_the_operator_chose_so(
    mode: UserAccountsTokenMode, value: str | None
) -> None:
    cipher = TokenCipher((EncryptionKey.generate("a"),))
    assert UserAccountsToken(mode, cipher).for_access_token(TOKEN, ANNA) == value


def test_an_encrypted_token_can_be_decrypted_only_in_its_own_row() -> None:
    cipher = TokenCipher((EncryptionKey.generate("a"),))
    value = UserAccountsToken("encrypted", cipher).for_access_token(TOKEN, ANNA)
    assert value is not None
    assert "canary" not in value
    encrypted = Ciphertext(value)
    decrypted = cipher.decrypt(encrypted, associated_data=f"user_accounts/{ANNA}")
    assert decrypted == "canary-access-token"
    with pytest.raises(ConfigurationError):
        cipher.decrypt(encrypted, associated_data=f"user_accounts/{BEN}")
