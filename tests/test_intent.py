"""The signed state: what it proves, to whom, and for how long."""

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
from connector.intent import Intents
from connector.model import Intent, Principal, UserId

from .clocks import NOON, TurnedClock
from .people import ANNA, AS_ANNA, NOW

AS_BERT = Principal("user", "user", UserId("00000000-0000-4000-8000-000000000002"))
SERVER = Principal("server", "server key 1")
HOME = "https://app.example.com/callback"


def intents(
    *,
    keys: tuple[bytes, ...] = (b"k" * 32,),
    clock: TurnedClock | None = None,
    accept_unsigned: bool = False,
) -> Intents:
    return Intents(
        keys,
        clock=clock or TurnedClock(),
        max_age=timedelta(hours=1),
        accept_unsigned=accept_unsigned,
        default_redirect_uri=HOME,
        families=("marketing", "login_kit"),
    )


def issued(house: Intents) -> str:
    return house.issue(
        ANNA, family="login_kit", redirect_uri="https://b.example.com/cb", return_to="/settings"
    )


def written(said: Any) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def unwritten(state: str) -> dict[str, Any]:
    said = json.loads(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
    assert isinstance(said, dict)
    return said


def test_what_was_issued_is_read_back_by_anybody() -> None:
    house = intents()
    assert house.read(issued(house), None) == Intent(
        user_id=ANNA,
        issued_at=NOON,
        family="login_kit",
        redirect_uri="https://b.example.com/cb",
        return_to="/settings",
    )


def test_a_state_has_the_shape_hand_written_frontends_know() -> None:
    state = issued(intents())
    assert "=" not in state
    said = unwritten(state)
    assert (said["user_id"], said["ts"]) == (ANNA, NOW)
    assert {"family", "redirect_uri", "return_to", "nonce", "sig"} < said.keys()


def test_no_two_states_are_alike() -> None:
    house = intents()
    assert issued(house) != issued(house)


def test_a_signed_in_user_cannot_finish_what_another_began() -> None:
    house = intents(accept_unsigned=True)
    for state in (issued(house), written({"user_id": ANNA, "ts": NOW})):
        with pytest.raises(WrongUser):
            house.read(state, AS_BERT)
        assert house.read(state, AS_ANNA).user_id == ANNA
        assert house.read(state, SERVER).user_id == ANNA


@pytest.mark.parametrize("asking", [None, AS_ANNA, SERVER])
def test_a_wrong_signature_is_refused_whoever_asks(asking: Principal | None) -> None:
    house = intents(accept_unsigned=True)
    said = unwritten(issued(house))
    forged = [said | {"redirect_uri": "https://evil.example"}, said | {"extra": 1}]
    bad: tuple[object, ...] = ("", None, 7, [], "\ud800é", said["sig"] + "A")
    forged += [said | {"sig": sig} for sig in bad]
    forged += [{"user_id": ANNA, "ts": NOW, "sig": "x"}]
    for one in forged:
        with pytest.raises(InvalidState):
            house.read(written(one), asking)


def test_a_signed_state_does_not_become_an_unsigned_one_by_losing_its_signature() -> None:
    house = intents(accept_unsigned=True)
    said = unwritten(issued(house))
    del said["sig"]
    with pytest.raises(InvalidState):
        house.read(written(said), AS_ANNA)


def test_states_survive_a_new_key_in_front_of_the_old_one() -> None:
    state = issued(intents(keys=(b"old",)))
    assert intents(keys=(b"new", b"old")).read(state, None).user_id == ANNA
    with pytest.raises(InvalidState):
        intents(keys=(b"new",)).read(state, None)


def test_a_state_grows_too_old() -> None:
    clock = TurnedClock()
    house = intents(clock=clock)
    state = issued(house)
    clock.turn(3600)
    assert house.read(state, None)
    clock.turn(1)
    with pytest.raises(StateExpired):
        house.read(state, None)


def test_clocks_may_differ_by_five_minutes_and_no_more() -> None:
    house = intents()
    assert house.read(written({"user_id": ANNA, "ts": NOW + 300}), AS_ANNA)
    with pytest.raises(InvalidState, match="future"):
        house.read(written({"user_id": ANNA, "ts": NOW + 301}), AS_ANNA)


def test_an_unsigned_state_needs_somebody_to_vouch_for_it() -> None:
    state = written({"user_id": ANNA.upper(), "ts": NOW, "return_to": "https://evil.example"})
    with pytest.raises(InvalidState, match="CONNECTOR_ACCEPT_UNSIGNED_STATE"):
        intents().read(state, None)
    expected = Intent(ANNA, NOON, "marketing", HOME, return_to=None, signed=False)
    assert intents().read(state, AS_ANNA) == expected
    assert intents().read(state, SERVER) == expected
    assert intents(accept_unsigned=True).read(state, None) == expected


def test_an_unsigned_state_may_name_its_family_but_not_where_to_go() -> None:
    said = {
        "user_id": ANNA,
        "ts": NOW,
        "family": "login_kit",
        "redirect_uri": "https://evil.example",
    }
    intent = intents().read(written(said), AS_ANNA)
    assert (intent.family, intent.redirect_uri) == ("login_kit", HOME)
    for family in ("unheard_of", None, ["login_kit"]):
        with pytest.raises(InvalidState, match="family"):
            intents().read(written(said | {"family": family}), AS_ANNA)


@pytest.mark.parametrize("ts", [NOW, NOW * 1000, NOW + 0.5, NOW * 1000 + 0.5])
def test_frontends_count_in_seconds_or_in_milliseconds(ts: float) -> None:
    intent = intents().read(written({"user_id": ANNA, "ts": ts}), AS_ANNA)
    assert abs(intent.issued_at - NOON) < timedelta(seconds=1)


def test_every_spelling_of_base64_is_understood() -> None:
    said = {"user_id": ANNA, "ts": NOW, "note": "ÿþ?>~" * 7}
    raw = json.dumps(said, ensure_ascii=False).encode()
    standard = base64.b64encode(raw).decode()
    assert "+" in standard
    for state in (standard, standard.rstrip("="), standard.replace("+", " "), written(said)):
        assert intents().read(state, AS_ANNA).user_id == ANNA


@pytest.mark.parametrize(
    "said",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "[" * 2900,
        f'{{"user_id":"{ANNA}","user_id":"{AS_BERT.user_id}","ts":{NOW}}}',
        f'{{"user_id":"{ANNA}","ts":NaN}}',
        f'{{"user_id":"{ANNA}","ts":1e999}}',
        f'{{"user_id":"{ANNA}","ts":{"9" * 2900}}}',
        '"\ud800"',
        {"ts": NOW},
        {"user_id": "anna", "ts": NOW},
        {"user_id": f"{{{ANNA}}}", "ts": NOW},
        {"user_id": "\ud800", "ts": NOW},
        {"user_id": 7, "ts": NOW},
        {"user_id": ANNA},
        {"user_id": ANNA, "ts": True},
        {"user_id": ANNA, "ts": -1},
        {"user_id": ANNA, "ts": str(NOW)},
    ],
)
def test_a_mangled_state_is_refused_with_a_sentence(said: Any) -> None:
    with pytest.raises(InvalidState) as caught:
        intents().read(written(said), SERVER)
    assert caught.value.message.endswith(".")


def test_a_state_has_a_longest_length() -> None:
    with pytest.raises(InvalidState, match="longer"):
        intents().read("A" * 4097, SERVER)


def strange(asking: Principal | None, state: str) -> None:
    with suppress(InvalidState, StateExpired, WrongUser):
        assert isinstance(intents(accept_unsigned=True).read(state, asking), Intent)


@given(text=st.text(max_size=300), asking=st.sampled_from([None, AS_ANNA, SERVER]))
@hypothesis_settings(deadline=None)
def test_whatever_is_sent_is_an_intent_or_one_of_our_errors(
    text: str, asking: Principal | None
) -> None:
    strange(asking, text)
    strange(asking, written(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(NOW),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    said=st.dictionaries(
        st.sampled_from(["user_id", "ts", "family", "redirect_uri", "return_to", "nonce", "sig"]),
        st.just(ANNA) | JSON,
    )
)
@hypothesis_settings(deadline=None)
def test_whatever_stands_in_a_state_is_an_intent_or_one_of_our_errors(said: dict[str, Any]) -> None:
    strange(SERVER, written(said))


@given(data=st.data(), letter=st.characters(max_codepoint=127))
@hypothesis_settings(deadline=None)
def test_no_flipped_character_makes_another_intent_of_a_signed_state(
    data: st.DataObject, letter: str
) -> None:
    house = intents(accept_unsigned=True)
    state = issued(house)
    at = data.draw(st.integers(0, len(state) - 1))
    try:
        read = house.read(state[:at] + letter + state[at + 1 :], None)
    except InvalidState:
        return
    assert read == house.read(state, None)
