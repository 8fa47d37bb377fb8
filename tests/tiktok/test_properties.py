"""Whatever arrives, a reader returns what it promised or raises a `TikTokError`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Said, TikTokError
from connector.model import Account, Grant, Tokens
from connector.tiktok import Family
from connector.wire import Call, Response

from .answers import ACCOUNTS, LOGIN_KIT, MARKETING, OLD, SAMPLES, answer, unhurried

Judge = Callable[[object], bool]


def _a(kind: type) -> Judge:
    return lambda value: isinstance(value, kind)


def _accounts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Account) for item in value)


def _nothing(value: object) -> bool:
    return value is None


def _calls(family: Family) -> list[tuple[Call[Any], Judge]]:
    named: list[tuple[Call[Any] | None, Judge]] = [
        (family.exchange("code", redirect_uri="https://shop.test/cb"), _a(Grant)),
        (family.refresh(OLD), _a(Tokens)),
        (family.subject(OLD), _a(str)),
        (family.accounts(OLD), _accounts),
        (family.accounts(OLD, subject="1"), _accounts),
        (family.revoke(OLD), _nothing),
    ]
    return [(call, judge) for call, judge in named if call is not None]


CALLS = [
    pytest.param(call, judge, id=f"{family.name} {call.request.label}")
    for family in (MARKETING, ACCOUNTS, LOGIN_KIT)
    for call, judge in _calls(family)
]

statuses = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 404, 429, 500, 503])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([0, 20001, 40105, 50000, "ok", "invalid_grant", 10**400, "\ud800", "\x00"])
)
names = st.sampled_from(
    [
        *("code", "data", "error", "message", "list", "user", "open_id", "access_token", "scope"),
        *("refresh_token", "expires_in", "request_id", "log_id", "advertiser_id", "core_user_id"),
    ]
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6)
)
samples = st.sampled_from(
    [json.loads(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))]
)


@st.composite
def mutations(draw: st.DrawFn) -> object:
    """A valid answer with one or two of its places taken by something else, or by nothing."""
    document = json.loads(json.dumps(draw(samples)))
    for _ in range(draw(st.integers(1, 2))):
        place = document
        while True:
            key = draw(st.sampled_from(sorted(place)))
            deeper = place[key]
            if isinstance(deeper, dict) and deeper and draw(st.booleans()):
                place = deeper
                continue
            break
        if draw(st.booleans()):
            place[key] = draw(documents)
        elif len(place) > 1:
            del place[key]
    return document


def holds(call: Call[Any], judge: Judge, response: Response) -> bool:
    try:
        return judge(call.read(response))
    except TikTokError as error:
        return error.__context__ is None and _can_be_written_down(error)


def _can_be_written_down(error: TikTokError) -> bool:
    said = error.said or Said()
    return bool(f"{error}{said.code}{said.message}{said.request_id}".encode())


@pytest.mark.parametrize(("call", "judge"), CALLS)
@unhurried
@given(body=st.binary(max_size=300), status=statuses)
def test_any_bytes(call: Call[Any], judge: Judge, body: bytes, status: int) -> None:
    assert holds(call, judge, answer(body, status=status))


@pytest.mark.parametrize(("call", "judge"), CALLS)
@unhurried
@given(document=documents, status=statuses)
def test_any_json(call: Call[Any], judge: Judge, document: object, status: int) -> None:
    assert holds(call, judge, answer(json.dumps(document), status=status))


@pytest.mark.parametrize(("call", "judge"), CALLS)
@unhurried
@given(document=mutations(), status=statuses)
def test_any_answer_that_is_nearly_valid(
    call: Call[Any], judge: Judge, document: object, status: int
) -> None:
    assert holds(call, judge, answer(json.dumps(document), status=status))


@unhurried
@given(
    code=st.text(st.characters(exclude_categories=["Cs"])),
    state=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_no_label_ever_holds_what_was_asked_with(code: str, state: str) -> None:
    for family in (MARKETING, ACCOUNTS, LOGIN_KIT):
        labels = {call.request.label for call, _ in _calls(family)}
        assert family.exchange(code, redirect_uri=state).request.label in labels
        assert all(set(label) <= set("abcdefghijklmnopqrstuvwxyz_/2") for label in labels)


def test_five_thousand_advertisers_are_read_in_a_moment() -> None:
    rows = [
        {"advertiser_id": str(7 * 10**18 + n), "advertiser_name": f"Advertiser {n} \U0001f950" * 3}
        for n in range(5000)
    ]
    response = answer({"code": 0, "message": "OK", "data": {"list": rows}})
    assert len(response.body) > 500_000
    began = time.perf_counter()
    accounts = MARKETING.accounts(OLD).read(response)
    assert time.perf_counter() - began < 1
    assert [account.id for account in accounts] == [row["advertiser_id"] for row in rows]
