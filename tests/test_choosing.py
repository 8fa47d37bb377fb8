"""Neither a person nor their advertiser is told by guessing."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector.choosing import AccountTokens, TokenPolicy, choice, subject_among
from connector.errors import Misconfigured
from connector.model import Account, Sealed
from connector.seal import Key, Seal

from .exchange.scene import BEN
from .people import ANNA

ONE, TWO, THREE = (Account(id=str(n), name=f"Shop {n}") for n in (1, 2, 3))
TOKEN = SecretStr("canary-access-token")


def test_a_single_advertiser_is_the_choice() -> None:
    assert choice([ONE], earlier=()) == ONE


def test_a_single_advertiser_outweighs_an_earlier_choice_that_is_gone() -> None:
    assert choice([ONE], earlier=("2",)) == ONE


def test_of_several_none_is_taken() -> None:
    assert choice([ONE, TWO], earlier=(None, None)) is None


def test_the_first_earlier_choice_that_is_still_granted_stays() -> None:
    assert choice([ONE, TWO, THREE], earlier=("2", "1")) == TWO
    assert choice([ONE, TWO, THREE], earlier=("4", "1")) == ONE
    assert choice([ONE, TWO, THREE], earlier=("4", None)) is None


def test_of_nothing_nothing_can_be_chosen() -> None:
    assert choice([], earlier=("1",)) is None


@pytest.mark.parametrize("known", [{}, {"noah": {"1"}}, {"mia": set()}, {"advertiser:9": {"9"}}])
def test_who_tiktok_says_it_is_counts(known: dict[str, set[str]]) -> None:
    assert subject_among(known, "mia", {"1", "2"}) == "mia"


@pytest.mark.parametrize(
    ("known", "subject"),
    [
        ({"mia": {"2", "3"}, "noah": {"4"}}, "mia"),
        ({"mia": {"3"}}, "advertiser:2"),
        ({"mia": {"2"}, "noah": {"10"}}, "advertiser:2"),
        ({}, "advertiser:2"),
    ],
    ids=["shared", "nothing shared", "shared with two", "new"],
)
def test_without_a_name_a_shared_advertiser_tells(known: dict[str, set[str]], subject: str) -> None:
    assert subject_among(known, None, {"10", "2"}) == subject


def test_one_who_had_no_name_may_have_one_now() -> None:
    assert subject_among({"advertiser:2": {"2"}, "noah": {"2"}}, "mia", {"2"}) == "advertiser:2"


def test_a_connection_that_moved_on_is_nobody_elses() -> None:
    moved = {"advertiser:2": {"7"}, "advertiser:2.2": {"8"}}
    assert subject_among(moved, None, {"2"}) == "advertiser:2.3"


@pytest.mark.parametrize(("policy", "text"), [("plain", "canary-access-token"), ("none", None)])
def test_the_operator_decides_what_user_accounts_is_told(
    policy: TokenPolicy, text: str | None
) -> None:
    assert AccountTokens(policy, Seal((Key.new("a"),))).text(TOKEN, ANNA) == text


def test_a_sealed_token_opens_in_its_own_row_alone() -> None:
    seal = Seal((Key.new("a"),))
    sealed = AccountTokens("sealed", seal).text(TOKEN, ANNA)
    assert sealed is not None
    assert "canary" not in sealed
    envelope = Sealed(sealed)
    assert seal.open_text(envelope, bound_to=f"user_accounts/{ANNA}") == "canary-access-token"
    with pytest.raises(Misconfigured):
        seal.open_text(envelope, bound_to=f"user_accounts/{BEN}")
