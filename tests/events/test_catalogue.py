"""The types of events, and the patterns that name them."""

from __future__ import annotations

import re

import pytest

from connector.errors import InvalidRequest
from connector.events import EVENT_TYPES, parse_patterns
from connector.events.catalogue import MAX_PATTERNS


@pytest.mark.parametrize(
    "pattern",
    [
        *(event_type.name for event_type in EVENT_TYPES),
        "connection.*",
        "endpoint.*",
        "selection.*",
        "publication.*",
        "tiktok.*",
        "tiktok.post.publish.complete",
        "tiktok.post.publish.*",
        "tiktok.im_receive_msg",
    ],
)
def test_a_type_and_a_prefix_are_patterns(pattern: str) -> None:
    assert parse_patterns([pattern], field="events") == (pattern,)


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        ".*",
        "",
        "connection",
        "connection.",
        "connection*",
        "connection.conected",
        "connection.con*",
        "connection.connected.*",
        "selection.changed",
        "tiktok",
        "tiktok.",
        "tiktok.Post",
        "tiktok.post*",
        "tiktok.**",
        "tiktok.a\n",
        "tiktok." + "a" * 101,
        "unknown.*",
        "%",
    ],
)
def test_another_text_is_refused_and_named_if_it_may_be_a_misspelt_type(pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="types contains") as caught:
        parse_patterns(["connection.*", pattern], field="types")
    is_named = re.fullmatch(r"[a-z_.*]{1,60}", pattern) is not None
    assert (f"contains {pattern}, which" in caught.value.message) == is_named
    assert len(caught.value.message) < 300


def test_a_list_of_patterns_has_no_duplicates_and_a_limited_length() -> None:
    assert parse_patterns(["tiktok.a", "tiktok.b", "tiktok.a"], field="events") == (
        "tiktok.a",
        "tiktok.b",
    )
    for patterns in ([], ["tiktok.a"] * (MAX_PATTERNS + 1)):
        with pytest.raises(InvalidRequest, match="events must have"):
            parse_patterns(patterns, field="events")


def test_every_type_has_a_name_a_sentence_and_an_example() -> None:
    assert len({event_type.name for event_type in EVENT_TYPES}) == len(EVENT_TYPES)
    for event_type in EVENT_TYPES:
        assert event_type.description.endswith(".")
        assert set(event_type.example) <= {"connection", "reason", "endpoint", "webhook"}
