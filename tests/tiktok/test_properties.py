"""A parser returns the promised type or raises a `TikTokError`, whatever the response contains."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import TikTokError, UpstreamError
from connector.model import Account, Grant, Tokens
from connector.tiktok import ApiFamily, Call, Response

from .responses import (
    ACCOUNTS,
    LOGIN_KIT,
    MARKETING,
    OLD_TOKENS,
    SAMPLES,
    property_settings,
    response,
)

TypeCheck = Callable[[object], bool]


def is_a(expected: type) -> TypeCheck:
    return lambda value: isinstance(value, expected)


def is_accounts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Account) for item in value)


def is_none(value: object) -> bool:
    return value is None


def calls_of(family: ApiFamily) -> list[tuple[Call[Any], TypeCheck]]:
    calls: list[tuple[Call[Any], TypeCheck]] = [
        (family.exchange_call("code", redirect_uri="https://shop.test/cb"), is_a(Grant)),
        (family.accounts_call(OLD_TOKENS), is_accounts),
        (family.accounts_call(OLD_TOKENS, tiktok_user_id="1"), is_accounts),
        (family.revoke_call(OLD_TOKENS), is_none),
    ]
    if (refresh := family.refresh_call(OLD_TOKENS)) is not None:
        calls.append((refresh, is_a(Tokens)))
    if (user_id := family.user_id_call(OLD_TOKENS)) is not None:
        calls.append((user_id, is_a(str)))
    return calls


every_call = pytest.mark.parametrize(
    ("call", "is_expected"),
    [
        pytest.param(call, is_expected, id=f"{family.name} {call.request.endpoint}")
        for family in (MARKETING, ACCOUNTS, LOGIN_KIT)
        for call, is_expected in calls_of(family)
    ],
)

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
def mutated_samples(draw: st.DrawFn) -> object:
    """Generates a valid response in which one or two fields are replaced or removed."""
    document = json.loads(json.dumps(draw(samples)))
    for _ in range(draw(st.integers(1, 2))):
        fields = document
        while True:
            name = draw(st.sampled_from(sorted(fields)))
            nested = fields[name]
            if isinstance(nested, dict) and nested and draw(st.booleans()):
                fields = nested
                continue
            break
        if draw(st.booleans()):
            fields[name] = draw(documents)
        elif len(fields) > 1:
            del fields[name]
    return document


def parses_or_raises(call: Call[Any], is_expected: TypeCheck, received: Response) -> bool:
    try:
        return is_expected(call.parse(received))
    except TikTokError as error:
        return error.__context__ is None and can_be_encoded(error)


def can_be_encoded(error: TikTokError) -> bool:
    upstream = error.upstream or UpstreamError()
    return bool(f"{error}{upstream.code}{upstream.message}{upstream.request_id}".encode())


@every_call
@property_settings
@given(body=st.binary(max_size=300), status=statuses)
def test_a_parser_handles_any_bytes(
    call: Call[Any], is_expected: TypeCheck, body: bytes, status: int
) -> None:
    assert parses_or_raises(call, is_expected, response(body, status=status))


@every_call
@property_settings
@given(document=documents, status=statuses)
def test_a_parser_handles_any_json(
    call: Call[Any], is_expected: TypeCheck, document: object, status: int
) -> None:
    assert parses_or_raises(call, is_expected, response(json.dumps(document), status=status))


@every_call
@property_settings
@given(document=mutated_samples(), status=statuses)
def test_a_parser_handles_any_nearly_valid_response(
    call: Call[Any], is_expected: TypeCheck, document: object, status: int
) -> None:
    assert parses_or_raises(call, is_expected, response(json.dumps(document), status=status))


@property_settings
@given(
    code=st.text(st.characters(exclude_categories=["Cs"])),
    redirect_uri=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_the_endpoint_name_of_a_call_never_contains_a_parameter(
    code: str, redirect_uri: str
) -> None:
    for family in (MARKETING, ACCOUNTS, LOGIN_KIT):
        endpoints = {call.request.endpoint for call, _ in calls_of(family)}
        exchange = family.exchange_call(code, redirect_uri=redirect_uri)
        assert exchange.request.endpoint in endpoints
        assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz_/2") for name in endpoints)


def test_five_thousand_advertisers_are_parsed_within_a_second() -> None:
    advertisers = [
        {"advertiser_id": str(7 * 10**18 + n), "advertiser_name": f"Advertiser {n} \U0001f950" * 3}
        for n in range(5000)
    ]
    received = response({"code": 0, "message": "OK", "data": {"list": advertisers}})
    assert len(received.body) > 500_000
    started = time.perf_counter()
    accounts = MARKETING.accounts_call(OLD_TOKENS).parse(received)
    assert time.perf_counter() - started < 1
    assert [account.id for account in accounts] == [row["advertiser_id"] for row in advertisers]
