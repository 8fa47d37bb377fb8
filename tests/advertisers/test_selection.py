"""An advertiser is never selected by guessing."""

from __future__ import annotations

from connector.advertisers import select_automatically
from connector.model import Account

FIRST, SECOND, THIRD = (Account(id=str(n), name=f"Shop {n}") for n in (1, 2, 3))


def test_a_single_advertiser_is_selected() -> None:
    assert select_automatically([FIRST], previous=()) == FIRST


def test_a_single_advertiser_replaces_a_previous_one_that_is_no_longer_granted() -> None:
    assert select_automatically([FIRST], previous=("2",)) == FIRST


def test_none_of_several_advertisers_is_selected_without_a_previous_selection() -> None:
    assert select_automatically([FIRST, SECOND], previous=(None, None)) is None


def test_the_first_previous_advertiser_that_is_still_granted_stays_selected() -> None:
    advertisers = [FIRST, SECOND, THIRD]
    assert select_automatically(advertisers, previous=("2", "1")) == SECOND
    assert select_automatically(advertisers, previous=("4", "1")) == FIRST
    assert select_automatically(advertisers, previous=("4", None)) is None


def test_no_advertiser_is_selected_from_an_empty_list() -> None:
    assert select_automatically([], previous=("1",)) is None
