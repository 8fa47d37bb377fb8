"""A ciphertext is decrypted only for its own row and with a configured key."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector.encryption import (
    DecryptionFailed,
    EncryptionKey,
    InvalidKey,
    TokenCipher,
    is_encrypted,
)
from connector.encryption.keys import KEY_BYTES
from connector.model import Ciphertext, Tokens

OLD, NEW = EncryptionKey.generate("2025"), EncryptionKey.generate("2026")
ENCODED = base64.b64encode(bytes(range(KEY_BYTES))).decode()

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNTIL_2200 = 230 * 365 * 86_400 * 10**6

times = st.none() | st.integers(0, UNTIL_2200).map(
    lambda microseconds: EPOCH + timedelta(microseconds=microseconds)
)
secrets = st.text().map(SecretStr)
tokens = st.builds(Tokens, secrets, st.none() | secrets.filter(bool), times, times, times)


@given(tokens)
def test_decrypted_tokens_equal_the_encrypted_tokens_to_the_microsecond(tokens: Tokens) -> None:
    cipher = TokenCipher((NEW,))
    ciphertext = cipher.encrypt_tokens(tokens, associated_data="row")
    assert cipher.decrypt_tokens(ciphertext, associated_data="row") == tokens


def test_an_empty_refresh_token_is_decrypted_as_none() -> None:
    cipher = TokenCipher((NEW,))
    ciphertext = cipher.encrypt_tokens(
        Tokens(SecretStr("act.1"), SecretStr("")), associated_data="row"
    )
    assert cipher.decrypt_tokens(ciphertext, associated_data="row").refresh is None


def test_the_same_text_is_never_encrypted_to_the_same_ciphertext() -> None:
    cipher = TokenCipher((NEW,))
    assert len({cipher.encrypt("act.1", associated_data="row") for _ in range(100)}) == 100


def test_a_ciphertext_does_not_contain_the_text() -> None:
    ciphertext = TokenCipher((NEW,)).encrypt("act.1" * 20, associated_data="row")
    assert b"act.1" not in base64.urlsafe_b64decode(ciphertext.split(".")[2])


def test_a_ciphertext_that_was_copied_to_another_row_is_not_decrypted() -> None:
    cipher = TokenCipher((NEW,))
    ciphertext = cipher.encrypt("act.1", associated_data="row 1")
    with pytest.raises(DecryptionFailed, match="damaged or belongs to another row"):
        cipher.decrypt(ciphertext, associated_data="row 2")


def test_a_ciphertext_with_another_key_id_is_not_decrypted_even_if_the_key_is_the_same() -> None:
    cipher = TokenCipher((NEW, EncryptionKey("twin", NEW.secret)))
    ciphertext = cipher.encrypt("act.1", associated_data="row")
    with pytest.raises(DecryptionFailed, match="damaged"):
        cipher.decrypt(Ciphertext(ciphertext.replace(".2026.", ".twin.")), associated_data="row")


def test_the_new_key_encrypts_and_the_old_key_still_decrypts_old_ciphertexts() -> None:
    before, after = TokenCipher((OLD,)), TokenCipher((NEW, OLD))
    old = before.encrypt("act.1", associated_data="row")
    assert not after.uses_first_key(old)
    new = after.encrypt(after.decrypt(old, associated_data="row"), associated_data="row")
    assert after.uses_first_key(new)
    assert TokenCipher((NEW,)).decrypt(new, associated_data="row") == "act.1"


def test_each_of_several_keys_decrypts_its_own_ciphertexts() -> None:
    keys = tuple(EncryptionKey.generate(f"k{number}") for number in range(5))
    ciphertexts = [TokenCipher((key,)).encrypt(key.id, associated_data="row") for key in keys]
    cipher = TokenCipher(keys)
    decrypted = [cipher.decrypt(each, associated_data="row") for each in ciphertexts]
    assert decrypted == [key.id for key in keys]


def test_the_error_for_a_ciphertext_whose_key_was_removed_names_the_key() -> None:
    ciphertext = TokenCipher((OLD,)).encrypt("act.1", associated_data="row")
    with pytest.raises(DecryptionFailed, match="key 2025, which CONNECTOR_ENCRYPTION_KEYS lacks"):
        TokenCipher((NEW,)).decrypt(ciphertext, associated_data="row")


def test_a_missing_key_is_named_once_in_the_log_and_never_in_the_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ciphertext = TokenCipher((OLD,)).encrypt("act.1", associated_data="row")
    cipher = TokenCipher((NEW,))
    for _ in range(3):
        with pytest.raises(DecryptionFailed) as raised:
            cipher.decrypt(ciphertext, associated_data="row")
        assert OLD.id not in raised.value.message
        assert "CONNECTOR" not in raised.value.message
    [message] = caplog.messages
    assert f"key {OLD.id}" in message


def test_another_key_with_the_same_id_does_not_decrypt_a_ciphertext() -> None:
    ciphertext = TokenCipher((OLD,)).encrypt("act.1", associated_data="row")
    with pytest.raises(DecryptionFailed, match="damaged"):
        TokenCipher((EncryptionKey.generate(OLD.id),)).decrypt(ciphertext, associated_data="row")


def test_a_ciphertext_with_any_one_character_changed_is_not_decrypted() -> None:
    cipher = TokenCipher((NEW,))
    # A text of this length needs no padding. Padded base64 has bits at the end that do not count.
    ciphertext = cipher.encrypt("act.1 - ", associated_data="row")
    assert not ciphertext.endswith("=")
    for position, character in enumerate(ciphertext):
        other = "A" if character != "A" else "B"
        changed = Ciphertext(ciphertext[:position] + other + ciphertext[position + 1 :])
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(changed, associated_data="row")


def test_a_ciphertext_that_was_cut_anywhere_is_not_decrypted() -> None:
    cipher = TokenCipher((NEW,))
    ciphertext = cipher.encrypt("act.1", associated_data="row")
    for length in range(len(ciphertext)):
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(Ciphertext(ciphertext[:length]), associated_data="row")


@pytest.mark.parametrize("inserted", ["!", "\n", " ", "é", "\0", "."])
def test_a_ciphertext_with_an_inserted_character_is_not_decrypted(inserted: str) -> None:
    cipher = TokenCipher((NEW,))
    ciphertext = cipher.encrypt("act.1", associated_data="row")
    for changed in (ciphertext + inserted, ciphertext[:20] + inserted + ciphertext[20:]):
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(Ciphertext(changed), associated_data="row")


@pytest.mark.parametrize("plain", ["act.secret.9f", "secret", "v1.s€cret.9f", "v2.2026.secret", ""])
def test_the_error_for_a_plain_token_in_place_of_a_ciphertext_does_not_repeat_the_token(
    plain: str,
) -> None:
    with pytest.raises(DecryptionFailed) as raised:
        TokenCipher((NEW,)).decrypt(Ciphertext(plain), associated_data="row")
    assert "cret" not in raised.value.message


def test_an_encrypted_text_is_distinguished_from_a_plain_one() -> None:
    assert is_encrypted(TokenCipher((NEW,)).encrypt("act.1", associated_data="row"))
    assert not is_encrypted("act.1")
    assert not is_encrypted("")


def test_a_formatted_key_is_parsed_to_the_same_key() -> None:
    assert EncryptionKey.parse(f" {NEW.format()}\n") == NEW


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "each key is id:base64"),
        (ENCODED, "each key is id:base64"),
        (f":{ENCODED}", "each key is id:base64"),
        (f"{ENCODED}:k1", "each key is id:base64"),
        (f"{ENCODED.rstrip('=')}:k1", "each key is id:base64"),
        (f"k.1:{ENCODED}", "each key is id:base64"),
        (f"ключ:{ENCODED}", "each key is id:base64"),
        ("k1:not base64", "key k1 is not base64"),
        ("k1:nicht-dünn", "key k1 is not base64"),
        (f"k1:{ENCODED[:-1]}", "key k1 is not base64"),
        ("k1:", "key k1 has 0 bytes, not 32"),
        ("k1:c2hvcnQ=", "key k1 has 5 bytes, not 32"),
    ],
)
def test_the_error_for_an_invalid_key_names_the_reason_and_never_contains_the_key(
    text: str, message: str
) -> None:
    with pytest.raises(InvalidKey, match=message) as raised:
        EncryptionKey.parse(text)
    assert ENCODED[:20] not in str(raised.value)


@pytest.mark.parametrize("id", ["", "a.b", "a|b", "a:b", "a b", "x" * 33])
def test_a_key_with_an_id_that_could_not_be_parsed_is_not_generated(id: str) -> None:
    with pytest.raises(InvalidKey, match="each key is id:base64"):
        EncryptionKey.generate(id)


def test_the_repr_of_a_key_does_not_contain_its_secret() -> None:
    assert repr(NEW) == "EncryptionKey(id='2026')"


def test_a_cipher_without_keys_is_refused() -> None:
    with pytest.raises(InvalidKey, match="at least one"):
        TokenCipher(())


def test_a_cipher_with_two_keys_of_the_same_id_is_refused() -> None:
    with pytest.raises(InvalidKey, match="same id"):
        TokenCipher((NEW, EncryptionKey.generate(NEW.id)))


def test_signing_keys_are_derived_newest_first_and_none_is_an_encryption_key() -> None:
    new, old, both = (
        TokenCipher(keys).derive_signing_keys("state") for keys in ((NEW,), (OLD,), (NEW, OLD))
    )
    assert both == new + old
    assert {len(key) for key in both} == {KEY_BYTES}
    assert not {NEW.secret, OLD.secret} & set(both)


def test_signing_keys_differ_by_purpose_and_are_the_same_every_time() -> None:
    cipher = TokenCipher((NEW,))
    assert cipher.derive_signing_keys("state") == TokenCipher((NEW,)).derive_signing_keys("state")
    assert cipher.derive_signing_keys("state") != cipher.derive_signing_keys("ticket")


def test_a_derived_signing_key_is_the_same_in_every_version_of_the_service() -> None:
    """A different key after an upgrade would invalidate every state and every ticket in use."""
    cipher = TokenCipher((EncryptionKey("k1", bytes(range(KEY_BYTES))),))
    (key,) = cipher.derive_signing_keys("state")
    assert key.hex() == "be7b06ab6fda6a42a6264462c51662ffd0a413b5d36704bfd8b0d34392c2e94d"


def test_a_ciphertext_of_the_first_version_is_still_decrypted() -> None:
    ciphertext = Ciphertext(
        "v1.k1.09kDELJUxX2R5tTbIECCG_IjGAVXL0GEqPY_UQ5ZzLxV1XFF1rI9F9RctIVtP-SS"
        "7-NlDGJpKtC1C6l_CE4sj0A0WysIpuQ_zxLuFs9eVlDCDNS8hW5Nd5hcm5JO0rxUJXUfHh"
        "nRBBC71IwTw5g8DOUVFCqTIJwPBjPdFg=="
    )
    cipher = TokenCipher((EncryptionKey("k1", bytes(range(KEY_BYTES))),))
    assert cipher.decrypt_tokens(ciphertext, associated_data="row") == Tokens(
        SecretStr("act.1"), SecretStr("rft.1"), datetime(2026, 11, 20, tzinfo=UTC)
    )
