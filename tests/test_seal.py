"""What is sealed opens under its own row and a known key, and otherwise not at all."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector.model import Sealed, Tokens
from connector.seal import KEY_BYTES, BadKey, Key, Seal, Unopenable, is_sealed

OLD, NEW = Key.new("2025"), Key.new("2026")
ENCODED = base64.b64encode(bytes(range(KEY_BYTES))).decode()

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNTIL_2200 = 230 * 365 * 86_400 * 10**6

times = st.none() | st.integers(0, UNTIL_2200).map(
    lambda microseconds: EPOCH + timedelta(microseconds=microseconds)
)
secrets = st.text().map(SecretStr)
tokens = st.builds(Tokens, secrets, st.none() | secrets.filter(bool), times, times, times)


@given(tokens)
def test_what_was_sealed_opens_unchanged_to_the_microsecond(tokens: Tokens) -> None:
    seal = Seal((NEW,))
    assert seal.open(seal.seal(tokens, bound_to="row"), bound_to="row") == tokens


def test_an_empty_refresh_token_is_none_at_all() -> None:
    seal = Seal((NEW,))
    sealed = seal.seal(Tokens(SecretStr("act.1"), SecretStr("")), bound_to="row")
    assert seal.open(sealed, bound_to="row").refresh is None


def test_the_same_tokens_never_seal_to_the_same_envelope() -> None:
    seal = Seal((NEW,))
    assert len({seal.seal_text("act.1", bound_to="row") for _ in range(100)}) == 100


def test_an_envelope_shows_nothing_of_what_it_holds() -> None:
    sealed = Seal((NEW,)).seal_text("act.1" * 20, bound_to="row")
    box = base64.urlsafe_b64decode(sealed.split(".")[2])
    assert b"act.1" not in box


def test_an_envelope_moved_to_another_row_does_not_open() -> None:
    seal = Seal((NEW,))
    sealed = seal.seal_text("act.1", bound_to="row 1")
    with pytest.raises(Unopenable, match="damaged or belongs to another row"):
        seal.open_text(sealed, bound_to="row 2")


def test_an_envelope_relabelled_with_another_key_does_not_open_even_if_the_key_is_the_same() -> (
    None
):
    seal = Seal((NEW, Key("twin", NEW.secret)))
    sealed = seal.seal_text("act.1", bound_to="row")
    with pytest.raises(Unopenable, match="damaged"):
        seal.open_text(Sealed(sealed.replace(".2026.", ".twin.")), bound_to="row")


def test_after_a_key_is_replaced_the_old_envelopes_open_and_the_new_are_under_the_new_key() -> None:
    before, after = Seal((OLD,)), Seal((NEW, OLD))
    old = before.seal_text("act.1", bound_to="row")
    assert not after.is_newest(old)
    new = after.seal_text(after.open_text(old, bound_to="row"), bound_to="row")
    assert after.is_newest(new)
    assert Seal((NEW,)).open_text(new, bound_to="row") == "act.1"


def test_every_one_of_several_keys_opens_its_own_envelopes() -> None:
    keys = tuple(Key.new(f"k{number}") for number in range(5))
    sealed = [Seal((key,)).seal_text(key.id, bound_to="row") for key in keys]
    every = Seal(keys)
    assert [every.open_text(one, bound_to="row") for one in sealed] == [key.id for key in keys]


def test_a_key_that_was_taken_away_is_named_when_its_envelope_comes_up() -> None:
    sealed = Seal((OLD,)).seal_text("act.1", bound_to="row")
    with pytest.raises(Unopenable, match="key 2025, which CONNECTOR_ENCRYPTION_KEYS lacks"):
        Seal((NEW,)).open_text(sealed, bound_to="row")


def test_which_key_is_missing_is_for_the_operators_log_and_written_there_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sealed = Seal((OLD,)).seal_text("act.1", bound_to="row")
    seal = Seal((NEW,))
    for _ in range(3):
        with pytest.raises(Unopenable) as caught:
            seal.open_text(sealed, bound_to="row")
        assert OLD.id not in caught.value.message
        assert "CONNECTOR" not in caught.value.message
    [line] = caplog.messages
    assert f"key {OLD.id}" in line


def test_another_key_under_the_same_id_does_not_open() -> None:
    sealed = Seal((OLD,)).seal_text("act.1", bound_to="row")
    with pytest.raises(Unopenable, match="damaged"):
        Seal((Key.new(OLD.id),)).open_text(sealed, bound_to="row")


def test_an_envelope_with_any_one_character_changed_does_not_open() -> None:
    seal = Seal((NEW,))
    sealed = seal.seal_text("act.1 - ", bound_to="row")  # no padding, so no idle bits at the end
    assert not sealed.endswith("=")
    for at, was in enumerate(sealed):
        other = Sealed(sealed[:at] + ("A" if was != "A" else "B") + sealed[at + 1 :])
        with pytest.raises(Unopenable):
            seal.open_text(other, bound_to="row")


def test_an_envelope_cut_anywhere_does_not_open() -> None:
    seal = Seal((NEW,))
    sealed = seal.seal_text("act.1", bound_to="row")
    for length in range(len(sealed)):
        with pytest.raises(Unopenable):
            seal.open_text(Sealed(sealed[:length]), bound_to="row")


@pytest.mark.parametrize("junk", ["!", "\n", " ", "é", "\0", "."])
def test_an_envelope_with_anything_slipped_in_does_not_open(junk: str) -> None:
    seal = Seal((NEW,))
    sealed = seal.seal_text("act.1", bound_to="row")
    for other in (sealed + junk, sealed[:20] + junk + sealed[20:]):
        with pytest.raises(Unopenable):
            seal.open_text(Sealed(other), bound_to="row")


@pytest.mark.parametrize("plain", ["act.secret.9f", "secret", "v1.s€cret.9f", "v2.2026.secret", ""])
def test_a_plain_token_where_a_sealed_one_belongs_is_not_repeated_in_the_error(plain: str) -> None:
    with pytest.raises(Unopenable) as caught:
        Seal((NEW,)).open_text(Sealed(plain), bound_to="row")
    assert "cret" not in caught.value.message


def test_sealed_and_plain_are_told_apart() -> None:
    assert is_sealed(Seal((NEW,)).seal_text("act.1", bound_to="row"))
    assert not is_sealed("act.1")
    assert not is_sealed("")


def test_a_key_survives_being_written_down() -> None:
    assert Key.parse(f" {NEW.text()}\n") == NEW


@pytest.mark.parametrize(
    ("text", "sentence"),
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
def test_a_bad_key_is_told_what_is_wrong_and_never_shown(text: str, sentence: str) -> None:
    with pytest.raises(BadKey, match=sentence) as caught:
        Key.parse(text)
    assert ENCODED[:20] not in str(caught.value)


@pytest.mark.parametrize("id", ["", "a.b", "a|b", "a:b", "a b", "x" * 33])
def test_no_key_is_made_with_an_id_that_could_not_be_read_back(id: str) -> None:
    with pytest.raises(BadKey, match="each key is id:base64"):
        Key.new(id)


def test_a_key_does_not_show_its_secret_when_printed() -> None:
    assert repr(NEW) == "Key(id='2026')"


def test_no_keys_at_all_are_refused() -> None:
    with pytest.raises(BadKey, match="at least one"):
        Seal(())


def test_two_keys_with_one_id_are_refused() -> None:
    with pytest.raises(BadKey, match="same id"):
        Seal((NEW, Key.new(NEW.id)))


def test_signing_keys_come_newest_first_and_none_is_a_sealing_key() -> None:
    signing = Seal((NEW, OLD)).derive("state")
    assert signing == Seal((NEW,)).derive("state") + Seal((OLD,)).derive("state")
    assert {len(key) for key in signing} == {KEY_BYTES}
    assert not {NEW.secret, OLD.secret} & set(signing)


def test_signing_keys_differ_by_purpose_and_are_the_same_every_time() -> None:
    seal = Seal((NEW,))
    assert seal.derive("state") == Seal((NEW,)).derive("state")
    assert seal.derive("state") != seal.derive("ticket")


def test_a_derived_key_is_the_one_it_always_was() -> None:
    """Otherwise an upgrade of ours would break every state and ticket under way."""
    (key,) = Seal((Key("k1", bytes(range(KEY_BYTES))),)).derive("state")
    assert key.hex() == "be7b06ab6fda6a42a6264462c51662ffd0a413b5d36704bfd8b0d34392c2e94d"


def test_an_envelope_of_the_first_version_still_opens() -> None:
    sealed = Sealed(
        "v1.k1.09kDELJUxX2R5tTbIECCG_IjGAVXL0GEqPY_UQ5ZzLxV1XFF1rI9F9RctIVtP-SS"
        "7-NlDGJpKtC1C6l_CE4sj0A0WysIpuQ_zxLuFs9eVlDCDNS8hW5Nd5hcm5JO0rxUJXUfHh"
        "nRBBC71IwTw5g8DOUVFCqTIJwPBjPdFg=="
    )
    opened = Seal((Key("k1", bytes(range(KEY_BYTES))),)).open(sealed, bound_to="row")
    assert opened == Tokens(
        SecretStr("act.1"), SecretStr("rft.1"), datetime(2026, 11, 20, tzinfo=UTC)
    )
