"""Both grammars, and the one table that says what a code means for us."""

from __future__ import annotations

import traceback

import pytest

from connector.errors import (
    CodeSpent,
    Misconfigured,
    PermissionMissing,
    ReconnectRequired,
    SlowDown,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    TokenRejected,
    Unintelligible,
)
from connector.tiktok.envelope import Asked, json_object, read_business, read_open
from connector.tiktok.verdicts import Purpose
from connector.wire import Response

from .answers import answer, refused

ASKED = Asked()


def verdict(response: Response, asked: Asked = ASKED) -> TikTokError:
    read = read_open if b'"error"' in response.body else read_business
    with pytest.raises(TikTokError) as caught:
        read(response, asked)
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, ReconnectRequired) for code in (40103, 40106, 40107)),
        *((code, TokenRejected) for code in (40102, 40105)),
        *((code, CodeSpent) for code in (40110, 40115)),
        *((code, SlowDown) for code in (40016, 40100, 40132, 40133, 61000)),
        *((code, Misconfigured) for code in (40010, 40101, 40104, 40113, 40124, 41000, 70001)),
        *((code, PermissionMissing) for code in (40001, 40003, 40118, 40125, 40130, 40131, 40300)),
        *((code, TikTokUnreachable) for code in (40200, 40202, 40700, 40901, 41013)),
        *((code, TikTokUnreachable) for code in (50000, 50002, 51039, 52204, 53102, 59999, 60001)),
        *((code, TikTokRefused) for code in (40000, 40002, 40007, 40050, 40108, 40400, 49999)),
        *((code, TikTokRefused) for code in (-1, 1, 30000, 99999, 10**30)),
    ],
)
def test_each_code_of_the_business_api_has_one_verdict(code: int, kind: type[TikTokError]) -> None:
    error = verdict(refused(code, "as it says"))
    assert type(error) is kind
    assert error.said is not None
    assert (error.said.code, error.said.message) == (code, "as it says")
    assert error.said.request_id == "r-1"


@pytest.mark.parametrize("code", [40114, 40120, 40309])
def test_a_code_known_by_its_name_alone_ends_no_connection(code: int) -> None:
    assert verdict(refused(code)).code != ReconnectRequired.code


@pytest.mark.parametrize(
    "code", [40100, 40101, 40001, 50000, 51010, 60001, 61000, 40113, 40104, 12345]
)
def test_what_passes_or_is_the_operators_fault_ends_no_connection(code: int) -> None:
    for purpose in ("refresh", "call"):
        assert verdict(refused(code), Asked(purpose)).code not in (
            "reconnect_required",
            "code_spent",
        )


def test_a_wrong_secret_on_exchange_may_be_a_stale_code_so_both_are_said() -> None:
    error = verdict(refused(40101), Asked("exchange"))
    assert type(error) is Misconfigured
    assert "TIKTOK_APP_SECRET" in error.message
    assert "connect again" in error.message


@pytest.mark.parametrize("code", [40102, 40103, 40105, 40106, 40107])
def test_on_exchange_there_is_no_connection_to_end_yet(code: int) -> None:
    error = verdict(refused(code), Asked("exchange"))
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
def test_how_long_to_wait_is_read_from_the_message(code: int, message: str, seconds: int) -> None:
    error = verdict(refused(code, message))
    assert type(error) is SlowDown
    assert error.retry_after == seconds


def test_maintenance_takes_half_an_hour() -> None:
    assert verdict(refused(60001)).retry_after == 1800


def test_partly_done_is_done_when_reading() -> None:
    response = answer({"code": 20001, "message": "partial", "data": {"list": []}})
    assert read_business(response, ASKED).each("list") == ()


def test_an_envelope_counts_whatever_the_http_status() -> None:
    body = {"code": 40105, "message": "no", "request_id": "r-2"}
    assert type(verdict(answer(body, status=401))) is TokenRejected
    assert type(verdict(answer(body, status=500))) is TokenRejected


@pytest.mark.parametrize(
    ("word", "purpose", "kind"),
    [
        ("invalid_grant", "refresh", ReconnectRequired),
        ("invalid_grant", "exchange", CodeSpent),
        ("invalid_grant", "call", TokenRejected),
        ("invalid_request", "exchange", CodeSpent),
        ("invalid_request", "refresh", TikTokRefused),
        ("access_denied", "exchange", CodeSpent),
        ("access_denied", "refresh", PermissionMissing),
        ("invalid_client", "exchange", Misconfigured),
        ("unauthorized_client", "refresh", Misconfigured),
        ("server_error", "refresh", TikTokUnreachable),
        ("temporarily_unavailable", "refresh", TikTokUnreachable),
        ("unsupported_grant_type", "refresh", TikTokRefused),
    ],
)
def test_an_oauth_error_is_found_though_the_status_says_200(
    word: str, purpose: Purpose, kind: type[TikTokError]
) -> None:
    flat = answer({"error": word, "error_description": "as it says", "log_id": "l-1"})
    error = verdict(flat, Asked(purpose))
    assert type(error) is kind
    assert error.said is not None
    assert (error.said.code, error.said.message, error.said.request_id) == (
        word,
        "as it says",
        "l-1",
    )


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("access_token_invalid", 401, TokenRejected),
        ("scope_not_authorized", 401, PermissionMissing),
        ("scope_permission_missed", 400, PermissionMissing),
        ("rate_limit_exceeded", 429, SlowDown),
        ("invalid_params", 400, TikTokRefused),
        ("internal_error", 500, TikTokUnreachable),
        ("never_heard_of", 400, TikTokRefused),
        ("never_heard_of", 401, TokenRejected),
        ("never_heard_of", 429, SlowDown),
        ("never_heard_of", 503, TikTokUnreachable),
    ],
)
def test_the_error_object_of_the_open_api_is_read(
    word: str, status: int, kind: type[TikTokError]
) -> None:
    error = verdict(answer({"error": {"code": word, "logid": "l-2"}, "data": {}}, status=status))
    assert type(error) is kind
    assert error.said is not None
    assert error.said.request_id == "l-2"


def test_ok_with_a_failing_status_is_not_ok() -> None:
    ok = {"error": {"code": "ok"}, "data": {}}
    assert type(verdict(answer(ok, status=500))) is TikTokUnreachable
    assert type(verdict(answer(ok, status=400))) is Unintelligible


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Unintelligible),
        (302, Unintelligible),
        (400, Unintelligible),
        (401, Unintelligible),
        (403, Unintelligible),
        (404, TikTokRefused),
        (405, TikTokRefused),
        (429, SlowDown),
        (500, TikTokUnreachable),
        (502, TikTokUnreachable),
    ],
)
def test_without_an_envelope_the_status_decides_and_never_ends_a_connection(
    status: int, kind: type[TikTokError]
) -> None:
    page = answer("404 page not found", status=status)
    for read in (read_business, read_open):
        with pytest.raises(TikTokError) as caught:
            read(page, Asked("refresh"))
        assert type(caught.value) is kind


def test_retry_after_is_honoured_where_a_gateway_sends_it() -> None:
    busy = answer("", status=429, headers={"Retry-After": "7"})
    assert verdict(busy).retry_after == 7
    assert verdict(answer("", status=429, headers={"Retry-After": "soon"})).retry_after == 60


@pytest.mark.parametrize("name", ["X-TT-LOGID", "x-tt-trace-id"])
def test_the_tracing_header_stands_in_for_a_missing_request_id(name: str) -> None:
    error = verdict(answer({"code": 50000}, headers={name: "trace-1"}))
    assert error.said is not None
    assert error.said.request_id == "trace-1"


def test_what_we_sent_is_not_repeated_in_tiktoks_own_words() -> None:
    asked = Asked("exchange", ("code*1!", "code*1!-and-more"))
    message = "bad code*1!-and-more, code%2A1%21, code*1! or rft.Some.Token!1\n" + "x" * 900
    error = verdict(refused(40110, message), asked)
    assert error.said is not None
    assert error.said.message.startswith("bad …, …, … or … xxx")
    assert len(error.said.message) == 300


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
def test_what_cannot_be_written_down_again_is_no_answer(body: bytes) -> None:
    assert json_object(body) is None
    for read in (read_business, read_open):
        with pytest.raises(Unintelligible):
            read(answer(body), ASKED)


def test_a_whole_surrogate_pair_is_a_character_like_any_other() -> None:
    assert json_object(b'{"a": "\\ud83e\\udd50"}') == {"a": "🥐"}


def test_an_unreadable_answer_leaves_no_trace_of_its_body() -> None:
    for body in (
        b'{"access_token": "act.secret-1',
        b'"act.secret-1 \xff',
        b'{"code": "act.secret-1"}',
    ):
        error = verdict(answer(body))
        shown = "".join(traceback.format_exception(error))
        assert "secret-1" not in shown + repr(vars(error))
        assert error.__context__ is None
        assert error.__cause__ is None


@pytest.mark.parametrize("value", [1.0, 7e18, 1e400, True, None, "", [], {}, -1, 10**200, "a\nb"])
def test_an_id_that_may_have_lost_digits_is_refused(value: object) -> None:
    fields = read_business(answer({"code": 0, "data": {"id": 0}}), ASKED)
    with pytest.raises(Unintelligible):
        type(fields)({"id": value}, fields.asked_at).identifier("id")


@pytest.mark.parametrize("number", [7533163835474346001, 2**53 + 1, 0])
def test_an_id_is_the_same_as_a_number_and_as_a_text(number: int) -> None:
    for form in (number, str(number)):
        data = read_business(answer({"code": 0, "data": {"id": form}}), ASKED)
        assert data.identifier("id") == str(number)
