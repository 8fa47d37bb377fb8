"""An answer is kept only if it stays true, and then it is the same for everybody who asks."""

from __future__ import annotations

import json

import pytest

from connector.answers import is_final, refusal, replayed, success
from connector.errors import (
    Busy,
    CodeSpent,
    ConnectorError,
    JournalUnwritable,
    Misconfigured,
    NoAdvertisers,
    ReconnectRequired,
    Said,
    SlowDown,
    StoreUnreachable,
    TikTokRefused,
    TikTokUnreachable,
    TokenRejected,
)
from connector.model import Account, Intent

from .clocks import NOON
from .people import ANNA

SHOPS = tuple(Account(id=str(n), name=f"Shop {n}") for n in (7533163835474346001, 2))
PROFILE = Account(id="-000mia", name="Mia", kind="profile")


def intent(family: str = "marketing") -> Intent:
    return Intent(ANNA, NOON, family, "https://shop.example/cb", return_to="https://shop.example/")


def test_several_advertisers_and_no_choice_ask_for_one() -> None:
    answer = success(intent(), SHOPS, None)
    assert answer["selection_required"] is True
    assert (answer["business_id"], answer["account_id"]) == (None, None)
    assert answer["advertisers"][0] == {
        "id": "7533163835474346001",
        "name": "Shop 7533163835474346001",
    }


def test_a_choice_is_told_by_its_id_and_name() -> None:
    answer = success(intent(), SHOPS, SHOPS[1])
    assert answer["selection_required"] is False
    assert (answer["business_id"], answer["account_id"]) == ("2", "Shop 2")


def test_a_profile_is_no_advertiser_and_needs_no_choice() -> None:
    answer = success(intent("login_kit"), (PROFILE,), None)
    assert (answer["advertisers"], answer["selection_required"]) == ([], False)


def test_where_they_go_afterwards_is_no_part_of_what_is_kept() -> None:
    assert "return_to" not in success(intent(), SHOPS, None)


@pytest.mark.parametrize("kind", [CodeSpent, NoAdvertisers])
def test_a_definite_refusal_is_final(kind: type[ConnectorError]) -> None:
    assert is_final(kind("No."))


@pytest.mark.parametrize(
    "kind",
    [
        *(Busy, StoreUnreachable, JournalUnwritable),
        *(Misconfigured, SlowDown, TikTokRefused, TikTokUnreachable),
        *(TokenRejected, ReconnectRequired),
    ],
)
def test_whatever_may_be_otherwise_next_time_is_not(kind: type[ConnectorError]) -> None:
    assert not is_final(kind("Not now."))


@pytest.mark.parametrize(
    "error",
    [
        CodeSpent("Spent.", said=Said(40110, "The auth_code is canceled", "2026-1")),
        CodeSpent("Spent."),
        NoAdvertisers("None."),
    ],
)
def test_a_refusal_is_raised_again_as_it_was(error: ConnectorError) -> None:
    kept = json.loads(json.dumps(refusal(error)))
    with pytest.raises(type(error)) as caught:
        replayed(kept)
    assert caught.value.message == error.message
    assert getattr(caught.value, "said", None) == getattr(error, "said", None)


def test_a_success_is_given_as_it_was() -> None:
    answer = {**success(intent(), SHOPS, None), "connection_id": "c"}
    assert replayed(answer) == answer
