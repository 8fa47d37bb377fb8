"""A grant is never matched to a user's connection by guessing."""

from __future__ import annotations

import pytest

from connector.advertisers import match_user


@pytest.mark.parametrize(
    "advertisers_by_user", [{}, {"noah": {"1"}}, {"mia": set()}, {"advertiser:9": {"9"}}]
)
def test_a_grant_is_matched_by_the_user_id_that_tiktok_reports(
    advertisers_by_user: dict[str, set[str]],
) -> None:
    assert match_user(advertisers_by_user, "mia", {"1", "2"}) == "mia"


@pytest.mark.parametrize(
    ("advertisers_by_user", "matched"),
    [
        ({"mia": {"2", "3"}, "noah": {"4"}}, "mia"),
        ({"mia": {"3"}}, "advertiser:2"),
        ({"mia": {"2"}, "noah": {"10"}}, "advertiser:2"),
        ({}, "advertiser:2"),
    ],
    ids=["shared with one", "shared with none", "shared with two", "no connection"],
)
def test_a_grant_without_a_user_id_is_matched_by_an_advertiser_that_only_one_user_shares(
    advertisers_by_user: dict[str, set[str]], matched: str
) -> None:
    assert match_user(advertisers_by_user, None, {"10", "2"}) == matched


def test_an_anonymous_connection_is_matched_when_tiktok_reports_a_user_id_later() -> None:
    advertisers_by_user = {"advertiser:2": {"2"}, "noah": {"2"}}
    assert match_user(advertisers_by_user, "mia", {"2"}) == "advertiser:2"


def test_an_anonymous_connection_that_shares_no_advertiser_any_more_is_not_matched() -> None:
    advertisers_by_user = {"advertiser:2": {"7"}, "advertiser:2.2": {"8"}}
    assert match_user(advertisers_by_user, None, {"2"}) == "advertiser:2.3"


def test_an_anonymous_connection_with_a_shared_advertiser_has_priority() -> None:
    advertisers_by_user = {"advertiser:2": {"2"}, "noah": {"2"}}
    assert match_user(advertisers_by_user, None, {"2"}) == "advertiser:2"
