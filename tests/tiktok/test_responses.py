"""Both response envelopes, and the error that each of TikTok's codes is mapped to."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr

from connector.errors import (
    AccessTokenRejected,
    CodeSpent,
    ConfigurationError,
    GrantInDoubt,
    PermissionMissing,
    RateLimited,
    ReconnectRequired,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    UnreadableResponse,
)
from connector.tiktok import Response
from connector.tiktok.error_codes import Purpose
from connector.tiktok.responses import (
    ParseContext,
    ResponseData,
    parse_business_response,
    parse_json_object,
    parse_open_response,
)

from .responses import REQUESTED_AT, business_error, response

CONTEXT = ParseContext()


def error_of(received: Response, context: ParseContext = CONTEXT) -> TikTokError:
    parse = parse_open_response if b'"error"' in received.body else parse_business_response
    with pytest.raises(TikTokError) as caught:
        parse(received, context)
    return caught.value


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, ReconnectRequired) for code in (40103, 40107)),
        (40106, GrantInDoubt),
        *((code, AccessTokenRejected) for code in (40102, 40105)),
        *((code, CodeSpent) for code in (40110, 40115)),
        *((code, RateLimited) for code in (40016, 40100, 40132, 40133, 61000)),
        *((code, ConfigurationError) for code in (40010, 40101, 40104, 40113, 40124, 41000, 70001)),
        *((code, PermissionMissing) for code in (40001, 40003, 40118, 40125, 40130, 40131, 40300)),
        *((code, TikTokUnreachable) for code in (40200, 40202, 40700, 40901, 41013)),
        *((code, TikTokUnreachable) for code in (50000, 50002, 51039, 52204, 53102, 59999, 60001)),
        *((code, TikTokRefused) for code in (40000, 40002, 40007, 40050, 40108, 40400, 49999)),
        *((code, TikTokRefused) for code in (-1, 1, 30000, 99999, 10**30)),
    ],
)
def test_each_code_of_the_business_api_raises_its_own_error(
    code: int, expected: type[TikTokError]
) -> None:
    error = error_of(business_error(code, "TikTok's message"))
    assert type(error) is expected
    assert error.upstream is not None
    assert (error.upstream.code, error.upstream.message) == (code, "TikTok's message")
    assert error.upstream.request_id == "r-1"


@pytest.mark.parametrize("code", [40114, 40120, 40309])
def test_a_code_documented_only_by_its_sdk_name_does_not_end_a_connection(code: int) -> None:
    assert error_of(business_error(code)).code != ReconnectRequired.code


@pytest.mark.parametrize(
    "code", [40100, 40101, 40001, 50000, 51010, 60001, 61000, 40113, 40104, 12345]
)
def test_a_transient_or_configuration_error_does_not_end_a_connection(code: int) -> None:
    for purpose in ("refresh", "call"):
        assert error_of(business_error(code), ParseContext(purpose)).code not in (
            "reconnect_required",
            "code_spent",
        )


@pytest.mark.parametrize("purpose", ["exchange", "refresh", "call"])
@pytest.mark.parametrize("code", [40000, 40113])
def test_a_token_of_another_app_is_a_configuration_error(code: int, purpose: Purpose) -> None:
    message = "The app_id is inconsistent with the token's app information"
    error = error_of(business_error(code, message), ParseContext(purpose))
    assert type(error) is ConfigurationError
    assert "TIKTOK_APP_ID" in error.message


def test_the_message_for_40101_on_exchange_names_the_secret_and_the_code_as_causes() -> None:
    error = error_of(business_error(40101), ParseContext("exchange"))
    assert type(error) is ConfigurationError
    assert "TIKTOK_APP_SECRET" in error.message
    assert "connect again" in error.message


@pytest.mark.parametrize("code", [40102, 40103, 40105, 40106, 40107])
def test_a_code_about_tokens_does_not_end_a_connection_during_an_exchange(code: int) -> None:
    error = error_of(business_error(code), ParseContext("exchange"))
    assert type(error) is TikTokRefused
    assert "access token" not in error.message


@pytest.mark.parametrize(
    ("code", "message", "seconds"),
    [
        (40100, "App reaches the QPS limit.", 1),
        (40100, "Too many requests. Requests from App are temporarily restricted.", 300),
        (40100, "", 60),
        (40133, "", 1),
        (40001, "Requests made too frequently: Too frequent", 60),
        (51021, "Too many requests", 60),
    ],
)
def test_the_delay_after_a_rate_limit_depends_on_the_code_and_the_message(
    code: int, message: str, seconds: int
) -> None:
    error = error_of(business_error(code, message))
    assert type(error) is RateLimited
    assert error.retry_after == seconds


def test_the_delay_after_a_maintenance_error_is_half_an_hour() -> None:
    assert error_of(business_error(60001)).retry_after == 1800


def test_code_20001_is_a_success() -> None:
    received = response({"code": 20001, "message": "partial", "data": {"list": []}})
    assert parse_business_response(received, CONTEXT).objects("list") == ()


def test_the_code_in_a_business_envelope_counts_and_not_the_http_status() -> None:
    body = {"code": 40105, "message": "no", "request_id": "r-2"}
    assert type(error_of(response(body, status=401))) is AccessTokenRejected
    assert type(error_of(response(body, status=500))) is AccessTokenRejected


@pytest.mark.parametrize(
    ("code", "purpose", "expected"),
    [
        ("invalid_grant", "refresh", ReconnectRequired),
        ("invalid_grant", "exchange", CodeSpent),
        ("invalid_grant", "call", AccessTokenRejected),
        ("invalid_request", "exchange", CodeSpent),
        ("invalid_request", "refresh", TikTokRefused),
        ("access_denied", "exchange", CodeSpent),
        ("access_denied", "refresh", PermissionMissing),
        ("invalid_client", "exchange", ConfigurationError),
        ("unauthorized_client", "refresh", ConfigurationError),
        ("server_error", "refresh", TikTokUnreachable),
        ("temporarily_unavailable", "refresh", TikTokUnreachable),
        ("unsupported_grant_type", "refresh", TikTokRefused),
    ],
)
def test_an_oauth_error_with_status_200_raises_its_own_error(
    code: str, purpose: Purpose, expected: type[TikTokError]
) -> None:
    flat = response({"error": code, "error_description": "TikTok's message", "log_id": "l-1"})
    error = error_of(flat, ParseContext(purpose))
    assert type(error) is expected
    assert error.upstream is not None
    assert (error.upstream.code, error.upstream.message, error.upstream.request_id) == (
        code,
        "TikTok's message",
        "l-1",
    )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("access_token_invalid", 401, AccessTokenRejected),
        ("scope_not_authorized", 401, PermissionMissing),
        ("scope_permission_missed", 400, PermissionMissing),
        ("rate_limit_exceeded", 429, RateLimited),
        ("invalid_params", 400, TikTokRefused),
        ("internal_error", 500, TikTokUnreachable),
        ("undocumented_code", 400, TikTokRefused),
        ("undocumented_code", 401, AccessTokenRejected),
        ("undocumented_code", 429, RateLimited),
        ("undocumented_code", 503, TikTokUnreachable),
    ],
)
def test_an_error_object_of_the_open_api_raises_its_own_error(
    code: str, status: int, expected: type[TikTokError]
) -> None:
    error = error_of(response({"error": {"code": code, "logid": "l-2"}, "data": {}}, status=status))
    assert type(error) is expected
    assert error.upstream is not None
    assert error.upstream.request_id == "l-2"


def test_an_ok_envelope_with_an_error_status_is_an_error() -> None:
    body = {"error": {"code": "ok"}, "data": {}}
    assert type(error_of(response(body, status=500))) is TikTokUnreachable
    assert type(error_of(response(body, status=400))) is UnreadableResponse


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
            parse(response(body), CONTEXT)


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
        data = parse_business_response(response({"code": 0, "data": {"id": value}}), CONTEXT)
        assert data.id("id") == str(number)
