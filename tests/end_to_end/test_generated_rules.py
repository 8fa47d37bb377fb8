"""The rules for answers to generated requests notice each kind of defect."""

from __future__ import annotations

import json
from random import Random

import pytest

from tests.processes import free_port
from tests.raw_servers import Responder, never_respond, reset_at_once, respond_with, tcp_server

from .generated import client
from .generated.broken_http import BREAKERS, SLOW_BREAKERS
from .generated.client import Answer, Exchange, exchange
from .generated.message import GeneratedRequest, HttpMessage, Silence
from .generated.rules import Rules

REQUEST = GeneratedRequest("one request", (b"GET /connections HTTP/1.1\r\nHost: x\r\n\r\n",))
HEADERS = {
    "x-request-id": "r",
    "x-content-type-options": "nosniff",
    "content-type": "application/json",
}
ERROR = {
    "success": False,
    "error": "No.",
    "code": "not_found",
    "retryable": False,
    "request_id": "r",
}
REFUSED = ERROR | {"code": "tiktok_refused", "tiktok": {}}
RULES = Rules((b"/status",), (b"the-secret",), (b"the-ticket",), lambda word: word == b"t" * 20)
LOG_START = "2026-11-28T12:00:00.000+00:00 "


def answer(status: int = 200, body: object = None, **headers: str) -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, HEADERS | names, text, b"HTTP/1.1")


def problems(*answers: Answer, request: GeneratedRequest = REQUEST) -> list[str]:
    return list(RULES.problems(Exchange(request, answers)))


@pytest.mark.parametrize(
    "right",
    [answer(), answer(404, ERROR), answer(502, REFUSED), answer(200, b'{"access_token":"t"}')],
)
def test_right_answers_have_no_problem(right: Answer) -> None:
    assert problems(right) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (answer(500, ERROR), "a server error"),
        (answer(502, ERROR | {"code": "configuration", "tiktok": {}}), "a server error"),
        (answer(502, ERROR | {"code": "tiktok_refused"}), "a server error"),
        (answer(503, ERROR | {"code": "store_unreachable"}, retry_after="1"), "a server error"),
        (answer(404, b"Not Found", content_type="text/plain"), "the error is not JSON"),
        (answer(404, {"error": "No."}), "another shape"),
        (answer(404, ERROR | {"code": "new"}), "no known code"),
        (answer(404, ERROR | {"request_id": "s"}), "another request id"),
        (answer(404, ERROR | {"error": "canary-4f1d."}), "repeats a value"),
        (answer(405, ERROR), "Allow"),
        (answer(429, ERROR), "Retry-After"),
        (answer(200, b"<p>", content_type="text/html"), "no page"),
        (answer(200, b"the-secret"), "a secret"),
        (answer(200, b"t" * 20), "a code or token of TikTok"),
        (answer(200, x_injected="1"), "must not have"),
        (answer(200, x_content_type_options=""), "is missing"),
    ],
)
def test_a_wrong_answer_is_a_problem(wrong: Answer, problem: str) -> None:
    assert problem in problems(wrong)[0]


def test_a_missing_or_additional_answer_is_a_problem() -> None:
    assert problems() == ["0 answers instead of 1"]
    assert problems(answer(), answer()) == ["2 answers, at most 1 were expected"]


def test_requests_after_an_answer_that_closes_the_connection_get_none() -> None:
    two = GeneratedRequest("pipelined", (b"",), (b"GET", b"GET"), 2, 2)
    assert problems(answer(connection="close"), request=two) == []
    assert problems(answer(), request=two) == ["1 answers instead of 2"]


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        f"{LOG_START}ERROR   connector.web unexpected error",
        f"{LOG_START}WARNING asyncio Task exception was never retrieved",
        f"{LOG_START}INFO    connector.web canary-4f1d",
        f"{LOG_START}INFO    connector.web the-ticket",
        f"{LOG_START}INFO    connector.web {'t' * 20}",
    ],
)
def test_a_wrong_line_of_the_log_is_a_problem(line: str) -> None:
    assert list(RULES.log_problems(f"{LOG_START}INFO    connector.web request answered")) == []
    assert list(RULES.log_problems(line)) != []


async def responses(respond: Responder, request: GeneratedRequest = REQUEST) -> Exchange:
    async with tcp_server(respond) as origin:
        return await exchange(request, port=int(origin.rpartition(":")[2]), peer="127.1.2.3")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "the body is incomplete"),
        (b"HTTP/1.1 200 OK\r\n", "ends in its header"),
        (b"HTTP/1.1 200 OK\r\nX: a\x00\r\nContent-Length: 0\r\n\r\n", "not valid"),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not valid"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "has no length"),
        (b"<html>\r\n\r\n", "not valid"),
    ],
)
async def test_an_unreadable_answer_is_a_problem(sent: bytes, problem: str) -> None:
    found = await responses(respond_with(sent))
    assert found.problem is not None
    assert problem in found.problem


async def test_a_connection_that_is_closed_or_reset_is_a_missing_answer() -> None:
    for respond in (respond_with(b""), reset_at_once):
        assert list(RULES.problems(await responses(respond))) == ["0 answers instead of 1"]


async def test_a_service_that_does_not_listen_is_a_problem() -> None:
    found = await exchange(REQUEST, port=free_port(), peer="127.1.2.3")
    assert found.problem is not None
    assert "Connect call failed" in found.problem


async def test_a_request_that_is_never_answered_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.05)
    found = await responses(never_respond)
    assert found.problem == "no answer, or no end of the connection, within 0.05 seconds"


def test_each_breaker_says_which_requests_may_stay_without_an_answer() -> None:
    message = HttpMessage(b"POST", b"/oauth/exchange", ((b"Host", b"x"),), b"{}")
    silences = {breaker(message, Random(1)).silence for breaker in (*BREAKERS, *SLOW_BREAKERS)}
    assert silences == {None, *Silence}
