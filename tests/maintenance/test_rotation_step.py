"""The sentence that `connector check` says about a key rotation."""

from __future__ import annotations

import pytest

from connector.maintenance import describe_step, find_missing_keys


def test_no_step_is_named_while_there_is_one_key() -> None:
    assert describe_step(["old"], {"old": 3}) is None
    assert find_missing_keys(["old"], {"old": 3}) is None


@pytest.mark.parametrize(
    ("key_ids", "counts", "expected"),
    [
        (["old", "new"], {"old": 3}, "If new is the new key, step 1 of the rotation is done here"),
        (["old", "new"], {"old": 3, "new": 1}, "If old is the old key, another replica is at step"),
        (["new", "old"], {"old": 3}, "If new is the new key, step 2 of the rotation is done here"),
        (["new", "old"], {"old": 3, "new": 1}, "1 stored tokens are under new, the first key, and"),
        (["new", "old"], {"new": 4}, "If old is the old key, step 3 is done"),
        (["new", "old"], {}, "all stored tokens are under new"),
    ],
)
def test_the_sentence_names_the_step_that_is_done_and_what_comes_next(
    key_ids: list[str], counts: dict[str, int], expected: str
) -> None:
    step = describe_step(key_ids, counts)
    assert step is not None
    assert expected in step


def test_a_key_that_another_replica_uses_and_this_one_lacks_is_named_with_the_remedy() -> None:
    missing = find_missing_keys(["old"], {"old": 3, "new": 2})
    assert missing is not None
    assert missing.message.startswith("2 stored tokens are encrypted under new")
    assert missing.remedy.startswith("Add new at the end of the list here and restart.")
