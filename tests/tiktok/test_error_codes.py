"""The error that each of TikTok's codes is mapped to. Only a definite code ends a connection."""

from __future__ import annotations

import pytest

from connector.errors import (
    AccessTokenExpired,
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
)
from connector.tiktok.error_codes import Purpose
from connector.tiktok.responses import ParseContext

from .responses import business_error, error_of, response


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, ReconnectRequired) for code in (40103, 40107)),
        (40106, GrantInDoubt),
        (40102, AccessTokenExpired),
        (40105, AccessTokenRejected),
        *((code, CodeSpent) for code in (40110, 40115)),
        *((code, RateLimited) for code in (40016, 40100, 40132, 40133, 61000)),
        *((code, ConfigurationError) for code in (40010, 40101, 40104, 40113, 40124, 41000, 70001)),
        *((code, PermissionMissing) for code in (40001, 40003, 40118, 40125, 40130, 40131, 40300)),
        *((code, TikTokUnreachable) for code in (40200, 40202, 40700, 40901, 41013)),
        *((code, TikTokUnreachable) for code in (50000, 50002, 51039, 52204, 53102, 59999, 60001)),
        # Unlisted: a retry may succeed.
        *((code, TikTokUnreachable) for code in (50001, 60000, 60002, 61001, 65432, 69999)),
        *((code, TikTokRefused) for code in (49998, 70000, 70002)),
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


@pytest.mark.parametrize("purpose", ["refresh", "exchange"])
@pytest.mark.parametrize("word", ["a_word_of_the_future", "token_revoked"])
def test_an_unknown_word_with_status_401_rejects_no_token_on_a_refresh_or_an_exchange(
    word: str, purpose: Purpose
) -> None:
    flat = response({"error": word, "error_description": "No."}, status=401)
    nested = response({"error": {"code": word, "message": "No."}}, status=401)
    for received in (flat, nested):
        error = error_of(received, ParseContext(purpose))
        assert (type(error), error.code) == (TikTokRefused, "tiktok_refused")
