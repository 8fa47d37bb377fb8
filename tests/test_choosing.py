"""Nobody's advertiser is chosen by guessing."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector.choosing import AccountTokens, TokenPolicy, choice, subject_among
from connector.errors import Misconfigured
from connector.model import Account, Sealed
from connector.seal import Key, Seal
from connector.store import Known

from .exchange.scene import BEN
from .people import ANNA

ONE, TWO, THREE = (Account(id=str(n), name=f"Shop {n}") for n in (1, 2, 3))
TOKEN = SecretStr("canary-access-token")


def known(*subjects: str) -> tuple[Known, ...]:
    return tuple(Known(id=f"id of {subject}", subject=subject) for subject in subjects)


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


@pytest.mark.parametrize(
    ("connections", "said", "subject"),
    [
        ((), "mia", "mia"),
        (("noah",), "mia", "mia"),
        ((), None, ""),
        (("mia",), None, "mia"),
        (("mia", "noah"), None, ""),
    ],
)
def test_what_tiktok_says_counts_and_else_the_only_one_we_know(
    connections: tuple[str, ...], said: str | None, subject: str
) -> None:
    assert subject_among(known(*connections), said) == subject


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
