"""Both response envelopes: what counts as a success, and what is read from a response."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr

from connector.errors import (
    AccessTokenRejected,
    RateLimited,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    UnreadableResponse,
)
from connector.tiktok.responses import (
    ParseContext,
    ResponseData,
    parse_business_response,
    parse_json_object,
    parse_open_response,
)

from .responses import CALL, REQUESTED_AT, business_error, error_of, response


def test_code_20001_is_a_success() -> None:
    received = response({"code": 20001, "message": "partial", "data": {"list": []}})
    assert parse_business_response(received, CALL).objects("list") == ()


def test_the_code_in_a_business_envelope_counts_and_not_the_http_status() -> None:
    body = {"code": 40105, "message": "no", "request_id": "r-2"}
    assert type(error_of(response(body, status=401))) is AccessTokenRejected
    assert type(error_of(response(body, status=500))) is AccessTokenRejected


def test_an_ok_envelope_with_an_error_status_is_an_error() -> None:
    body = {"error": {"code": "ok"}, "data": {}}
    assert type(error_of(response(body, status=500))) is TikTokUnreachable
    assert type(error_of(response(body, status=400))) is UnreadableResponse


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_no_success_whatever_its_body_contains(status: int) -> None:
    business = {"code": 0, "message": "OK", "data": {"access_token": "act.1", "list": []}}
    flat = {"access_token": "act.1", "expires_in": 7200}
    nested = {"data": {}, "error": {"code": "ok"}}
    for parse, body in (
        (parse_business_response, business),
        (parse_business_response, flat),
        (parse_open_response, flat),
        (parse_open_response, nested),
    ):
        with pytest.raises(UnreadableResponse):
            parse(response(body, status=status), ParseContext("refresh"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, UnreadableResponse),
        (302, UnreadableResponse),
        (400, UnreadableResponse),
        (401, UnreadableResponse),
        (403, UnreadableResponse),
        (404, TikTokRefused),
        (405, TikTokRefused),
        (429, RateLimited),
        (500, TikTokUnreachable),
        (502, TikTokUnreachable),
    ],
)
def test_the_status_of_a_response_without_an_envelope_never_ends_a_connection(
    status: int, expected: type[TikTokError]
) -> None:
    page = response("404 page not found", status=status)
    for parse in (parse_business_response, parse_open_response):
        with pytest.raises(TikTokError) as caught:
            parse(page, ParseContext("refresh"))
        assert type(caught.value) is expected


def test_the_retry_after_header_of_a_gateway_replaces_the_default_delay() -> None:
    limited = response("", status=429, headers={"Retry-After": "7"})
    assert error_of(limited).retry_after == 7
    malformed = response("", status=429, headers={"Retry-After": "soon"})
    assert error_of(malformed).retry_after == 60


@pytest.mark.parametrize("name", ["X-TT-LOGID", "x-tt-trace-id"])
def test_a_tracing_header_replaces_a_missing_request_id(name: str) -> None:
    error = error_of(response({"code": 50000}, headers={name: "trace-1"}))
    assert error.upstream is not None
    assert error.upstream.request_id == "trace-1"


def test_the_secrets_of_a_request_are_removed_from_tiktoks_error_message() -> None:
    context = ParseContext("exchange", (SecretStr("code*1!"), SecretStr("code*1!-and-more")))
    message = "bad code*1!-and-more, code%2A1%21, code*1! or rft.Some.Token!1\n" + "x" * 900
    error = error_of(business_error(40110, message), context)
    assert error.upstream is not None
    assert error.upstream.message.startswith("bad …, …, … or … xxx")
    assert len(error.upstream.message) == 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": "\\ud83e"}',
        b'{"a": "\\uDD50"}',
        b'{"a": 1',
    ],
)
def test_a_body_that_could_not_be_stored_again_is_unreadable(body: bytes) -> None:
    assert parse_json_object(body) is None
    for parse in (parse_business_response, parse_open_response):
        with pytest.raises(UnreadableResponse):
            parse(response(body), CALL)


def test_a_complete_surrogate_pair_is_parsed_as_one_character() -> None:
    assert parse_json_object(b'{"a": "\\ud83e\\udd50"}') == {"a": "🥐"}


def test_the_error_for_an_unreadable_response_contains_nothing_of_its_body() -> None:
    for body in (
        b'{"access_token": "act.secret-1',
        b'"act.secret-1 \xff',
        b'{"code": "act.secret-1"}',
    ):
        error = error_of(response(body))
        shown = "".join(traceback.format_exception(error))
        assert "secret-1" not in shown + repr(vars(error))
        assert error.__context__ is None
        assert error.__cause__ is None


@pytest.mark.parametrize("value", [1.0, 7e18, 1e400, True, None, "", [], {}, -1, 10**200, "a\nb"])
def test_an_id_that_may_have_lost_digits_is_unreadable(value: object) -> None:
    with pytest.raises(UnreadableResponse):
        ResponseData({"id": value}, REQUESTED_AT).id("id")


@pytest.mark.parametrize("number", [7533163835474346001, 2**53 + 1, 0])
def test_an_id_is_the_same_string_whether_it_arrives_as_number_or_text(number: int) -> None:
    for value in (number, str(number)):
        data = parse_business_response(response({"code": 0, "data": {"id": value}}), CALL)
        assert data.id("id") == str(number)
