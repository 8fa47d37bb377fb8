"""A signed state proves its user; an unsigned state needs confirmation; every state expires."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connector.errors import InvalidState, StateExpired, WrongUser
from connector.model import OAuthState, Principal, UserId
from connector.oauth.state import OAuthStates
from tests.credentials import ANNA, ANNA_PRINCIPAL, NOON_TIMESTAMP
from tests.manual_clock import NOON, ManualClock

BERT_PRINCIPAL = Principal("user", "user", UserId("00000000-0000-4000-8000-000000000002"))
SERVER_PRINCIPAL = Principal("server", "first")
DEFAULT_REDIRECT_URI = "https://app.example.com/callback"


def oauth_states(
    *,
    keys: tuple[bytes, ...] = (b"k" * 32,),
    clock: ManualClock | None = None,
    accept_unsigned: bool = False,
) -> OAuthStates:
    return OAuthStates(
        keys,
        clock=clock or ManualClock(),
        max_age=timedelta(hours=1),
        accept_unsigned=accept_unsigned,
        default_redirect_uri=DEFAULT_REDIRECT_URI,
        families=("marketing", "login_kit"),
    )


def issue(states: OAuthStates) -> str:
    return states.issue(
        ANNA, family="login_kit", redirect_uri="https://b.example.com/cb", return_to="/settings"
    )


def encode(payload: Any) -> str:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode(state: str) -> dict[str, Any]:
    payload = json.loads(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
    assert isinstance(payload, dict)
    return payload


def test_an_issued_state_can_be_verified_without_credentials() -> None:
    states = oauth_states()
    assert states.verify(issue(states), None) == OAuthState(
        user_id=ANNA,
        issued_at=NOON,
        family="login_kit",
        redirect_uri="https://b.example.com/cb",
        return_to="/settings",
    )


def test_a_state_has_the_fields_that_hand_written_frontends_send() -> None:
    state = issue(oauth_states())
    assert "=" not in state
    payload = decode(state)
    assert (payload["user_id"], payload["ts"]) == (ANNA, NOON_TIMESTAMP)
    assert {"family", "redirect_uri", "return_to", "nonce", "sig"} < payload.keys()


def test_a_state_cannot_lose_or_change_the_browser_that_it_is_bound_to() -> None:
    states = oauth_states()
    redirect_uri = "https://b.example.com/cb"
    state = states.issue(ANNA, family="login_kit", redirect_uri=redirect_uri, browser_hash="hash")
    assert states.verify(state, None).browser_hash == "hash"
    payload = decode(state)
    unbound = {name: value for name, value in payload.items() if name != "browser"}
    for changed in (unbound, payload | {"browser": "other"}):
        with pytest.raises(InvalidState):
            states.verify(encode(changed), None)


def test_two_states_for_the_same_request_differ() -> None:
    states = oauth_states()
    assert issue(states) != issue(states)


def test_a_signed_in_user_cannot_use_the_state_of_another_user() -> None:
    states = oauth_states(accept_unsigned=True)
    for state in (issue(states), encode({"user_id": ANNA, "ts": NOON_TIMESTAMP})):
        with pytest.raises(WrongUser):
            states.verify(state, BERT_PRINCIPAL)
        assert states.verify(state, ANNA_PRINCIPAL).user_id == ANNA
        assert states.verify(state, SERVER_PRINCIPAL).user_id == ANNA


@pytest.mark.parametrize("principal", [None, ANNA_PRINCIPAL, SERVER_PRINCIPAL])
def test_a_state_with_a_wrong_signature_is_rejected_for_every_caller(
    principal: Principal | None,
) -> None:
    states = oauth_states(accept_unsigned=True)
    payload = decode(issue(states))
    forged_payloads = [payload | {"redirect_uri": "https://evil.example"}, payload | {"extra": 1}]
    bad: tuple[object, ...] = ("", None, 7, [], "\ud800é", payload["sig"] + "A")
    forged_payloads += [payload | {"sig": sig} for sig in bad]
    forged_payloads += [{"user_id": ANNA, "ts": NOON_TIMESTAMP, "sig": "x"}]
    for forged_payload in forged_payloads:
        with pytest.raises(InvalidState):
            states.verify(encode(forged_payload), principal)


def test_a_signed_state_without_its_signature_is_not_accepted_as_unsigned() -> None:
    states = oauth_states(accept_unsigned=True)
    payload = decode(issue(states))
    del payload["sig"]
    with pytest.raises(InvalidState):
        states.verify(encode(payload), ANNA_PRINCIPAL)


def test_a_state_stays_valid_after_a_new_key_is_put_first() -> None:
    state = issue(oauth_states(keys=(b"old",)))
    assert oauth_states(keys=(b"new", b"old")).verify(state, None).user_id == ANNA
    with pytest.raises(InvalidState):
        oauth_states(keys=(b"new",)).verify(state, None)


def test_a_state_expires() -> None:
    clock = ManualClock()
    states = oauth_states(clock=clock)
    state = issue(states)
    clock.advance(3600)
    assert states.verify(state, None)
    clock.advance(1)
    with pytest.raises(StateExpired):
        states.verify(state, None)


def test_a_state_issued_up_to_five_minutes_in_the_future_is_accepted() -> None:
    states = oauth_states()
    assert states.verify(encode({"user_id": ANNA, "ts": NOON_TIMESTAMP + 300}), ANNA_PRINCIPAL)
    with pytest.raises(InvalidState, match="future"):
        states.verify(encode({"user_id": ANNA, "ts": NOON_TIMESTAMP + 301}), ANNA_PRINCIPAL)


def test_an_unsigned_state_is_accepted_only_from_its_user_a_server_or_by_a_setting() -> None:
    state = encode(
        {"user_id": ANNA.upper(), "ts": NOON_TIMESTAMP, "return_to": "https://evil.example"}
    )
    with pytest.raises(InvalidState, match="CONNECTOR_ACCEPT_UNSIGNED_STATE"):
        oauth_states().verify(state, None)
    expected = OAuthState(
        ANNA, NOON, "marketing", DEFAULT_REDIRECT_URI, return_to=None, is_signed=False
    )
    assert oauth_states().verify(state, ANNA_PRINCIPAL) == expected
    assert oauth_states().verify(state, SERVER_PRINCIPAL) == expected
    assert oauth_states(accept_unsigned=True).verify(state, None) == expected


def test_an_unsigned_state_may_name_its_family_but_not_its_redirect_address() -> None:
    payload = {
        "user_id": ANNA,
        "ts": NOON_TIMESTAMP,
        "family": "login_kit",
        "redirect_uri": "https://evil.example",
    }
    oauth_state = oauth_states().verify(encode(payload), ANNA_PRINCIPAL)
    assert (oauth_state.family, oauth_state.redirect_uri) == ("login_kit", DEFAULT_REDIRECT_URI)
    for family in ("unheard_of", None, ["login_kit"]):
        with pytest.raises(InvalidState, match="family"):
            oauth_states().verify(encode(payload | {"family": family}), ANNA_PRINCIPAL)


@pytest.mark.parametrize(
    "ts", [NOON_TIMESTAMP, NOON_TIMESTAMP * 1000, NOON_TIMESTAMP + 0.5, NOON_TIMESTAMP * 1000 + 0.5]
)
def test_the_time_of_a_state_may_be_in_seconds_or_in_milliseconds(ts: float) -> None:
    oauth_state = oauth_states().verify(encode({"user_id": ANNA, "ts": ts}), ANNA_PRINCIPAL)
    assert abs(oauth_state.issued_at - NOON) < timedelta(seconds=1)


def test_a_state_may_be_encoded_in_each_variant_of_base64() -> None:
    payload = {"user_id": ANNA, "ts": NOON_TIMESTAMP, "note": "ÿþ?>~" * 7}
    raw = json.dumps(payload, ensure_ascii=False).encode()
    standard = base64.b64encode(raw).decode()
    assert "+" in standard
    for state in (standard, standard.rstrip("="), standard.replace("+", " "), encode(payload)):
        assert oauth_states().verify(state, ANNA_PRINCIPAL).user_id == ANNA


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "[" * 2900,
        f'{{"user_id":"{ANNA}","user_id":"{BERT_PRINCIPAL.user_id}","ts":{NOON_TIMESTAMP}}}',
        f'{{"user_id":"{ANNA}","ts":NaN}}',
        f'{{"user_id":"{ANNA}","ts":1e999}}',
        f'{{"user_id":"{ANNA}","ts":{"9" * 2900}}}',
        '"\ud800"',
        {"ts": NOON_TIMESTAMP},
        {"user_id": "", "ts": NOON_TIMESTAMP},
        {"user_id": "x" * 129, "ts": NOON_TIMESTAMP},
        {"user_id": "Søren", "ts": NOON_TIMESTAMP},
        {"user_id": "\ud800", "ts": NOON_TIMESTAMP},
        {"user_id": 7, "ts": NOON_TIMESTAMP},
        {"user_id": ANNA},
        {"user_id": ANNA, "ts": True},
        {"user_id": ANNA, "ts": -1},
        {"user_id": ANNA, "ts": str(NOON_TIMESTAMP)},
    ],
)
def test_a_malformed_state_is_rejected_with_a_sentence(payload: Any) -> None:
    with pytest.raises(InvalidState) as caught:
        oauth_states().verify(encode(payload), SERVER_PRINCIPAL)
    assert caught.value.message.endswith(".")


def test_a_state_that_is_too_long_is_rejected() -> None:
    with pytest.raises(InvalidState, match="longer"):
        oauth_states().verify("A" * 4097, SERVER_PRINCIPAL)


def verify_or_reject(principal: Principal | None, state: str) -> None:
    with suppress(InvalidState, StateExpired, WrongUser):
        assert isinstance(oauth_states(accept_unsigned=True).verify(state, principal), OAuthState)


@given(
    text=st.text(max_size=300), principal=st.sampled_from([None, ANNA_PRINCIPAL, SERVER_PRINCIPAL])
)
@hypothesis_settings(deadline=None)
def test_any_text_is_a_valid_state_or_causes_a_known_error(
    text: str, principal: Principal | None
) -> None:
    verify_or_reject(principal, text)
    verify_or_reject(principal, encode(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(NOON_TIMESTAMP),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    payload=st.dictionaries(
        st.sampled_from(["user_id", "ts", "family", "redirect_uri", "return_to", "nonce", "sig"]),
        st.just(ANNA) | JSON,
    )
)
@hypothesis_settings(deadline=None)
def test_any_payload_is_a_valid_state_or_causes_a_known_error(payload: dict[str, Any]) -> None:
    verify_or_reject(SERVER_PRINCIPAL, encode(payload))


@given(data=st.data(), character=st.characters(max_codepoint=127))
@hypothesis_settings(deadline=None)
def test_a_changed_character_never_turns_a_signed_state_into_another_state(
    data: st.DataObject, character: str
) -> None:
    states = oauth_states(accept_unsigned=True)
    state = issue(states)
    position = data.draw(st.integers(0, len(state) - 1))
    try:
        verified = states.verify(state[:position] + character + state[position + 1 :], None)
    except InvalidState:
        return
    assert verified == states.verify(state, None)
