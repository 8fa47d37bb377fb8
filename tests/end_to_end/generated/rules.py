"""What every answer of the service must be, whatever the request was, and every line of its log.

The service may close a connection without an answer only for the reasons in `Silence`. After an answer that
closes the connection, the requests that follow on the connection get none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from connector.errors import ConnectorError

from .client import Answer, Exchange
from .message import GeneratedRequest
from .odd_values import CANARY

ERROR_FIELDS = {"success", "error", "code", "retryable", "request_id"}
FIELDS_OF_SOME_ERRORS = {"tiktok", "oldest"}
EXPLAINED_5XX = {(502, "tiktok_refused")}
"""TikTok's own refusals, which the answer repeats. Anything else means a defect, because TikTok and the
database work."""

WORDS = re.compile(rb"[\w.*!~-]{20,}")
LOG_LINE = re.compile(
    r"(?:\S+T\S+\+00:00 (?:DEBUG|INFO|WARNING) +connector(?:\.\w+)* \S.*|Ready at http://\S+ .*)"
)
NEVER_IN_A_LOG = re.compile(
    "traceback|unhandled|never retrieved|never awaited|unexpected|whsec_", re.IGNORECASE
)


@dataclass(frozen=True)
class Rules:
    """`is_issued` tells if TikTok has issued this word as a code or token."""

    page_addresses: tuple[bytes, ...]
    secrets: tuple[bytes, ...]
    """Never in an answer or in the log."""

    logged_secrets: tuple[bytes, ...]
    """Never in the log. An answer may contain them, because the service issues them."""

    is_issued: Callable[[bytes], bool]

    def problems(self, exchange: Exchange) -> Iterator[str]:
        request, answers = exchange.request, exchange.answers
        if exchange.problem is not None:
            yield exchange.problem
        elif len(answers) < request.min_answers and not (answers and answers[-1].closes):
            yield f"{len(answers)} answers instead of {request.min_answers}"
        if len(answers) > request.max_answers:
            yield f"{len(answers)} answers, at most {request.max_answers} were expected"
        for answer in answers:
            yield from (f"{problem}: {answer}" for problem in self._answer(request, answer))

    def _answer(self, request: GeneratedRequest, answer: Answer) -> Iterator[str]:
        headers = answer.headers
        if request.statuses and answer.status not in request.statuses:
            yield f"the status must be one of {request.statuses}"
        if "x-request-id" not in headers or headers.get("x-content-type-options") != "nosniff":
            yield "a header of every answer is missing"
        if "server" in headers or "x-injected" in headers:
            yield "the answer has a header that it must not have"
        if answer.status >= 400:
            yield from _error(answer)
        content_type = headers.get("content-type", "")
        if content_type.startswith("text/html") and not self._is_page(request, answer):
            yield "this address is no page"
        yield from self._secrets(answer)

    def _is_page(self, request: GeneratedRequest, answer: Answer) -> bool:
        sent = unquote_to_bytes(request.sent)
        return answer.status == 200 and any(address in sent for address in self.page_addresses)

    def _secrets(self, answer: Answer) -> Iterator[str]:
        text = answer.head + b"\r\n\r\n" + answer.body
        if any(secret in text for secret in self.secrets):
            yield "the answer contains a secret"
        if answer.status >= 400 and CANARY in text:
            yield "the error repeats a value of the request"
        if b"whsec_" in text and b'"secret":"' not in text:
            yield "the answer contains the secret of an endpoint"
        if b'"access_token"' not in text and any(map(self.is_issued, WORDS.findall(text))):
            yield "the answer contains a code or token of TikTok"

    def log_problems(self, log: str) -> Iterator[str]:
        for line in log.splitlines():
            if not LOG_LINE.fullmatch(line) or NEVER_IN_A_LOG.search(line):
                yield f"unexpected line in the log: {line}"
            encoded = line.encode()
            if CANARY in encoded or any(map(self.is_issued, WORDS.findall(encoded))):
                yield f"the log repeats a value of a request, or a code or token: {line}"
            elif any(secret in encoded for secret in (*self.secrets, *self.logged_secrets)):
                yield f"the log contains a secret: {line}"


def _error(answer: Answer) -> Iterator[str]:
    if answer.headers.get("content-type") != "application/json":
        yield "the error is not JSON"
        return
    waits = answer.status in (429, 503)
    if ("retry-after" in answer.headers) is not waits:
        yield "Retry-After belongs to 429 and 503"
    if (answer.status == 405) is not ("allow" in answer.headers):
        yield "Allow belongs to 405"
    if answer.body:
        yield from _error_body(answer, json.loads(answer.body))
    elif answer.status >= 500:
        yield "a server error"


def _error_body(answer: Answer, error: Any) -> Iterator[str]:
    if error.keys() - FIELDS_OF_SOME_ERRORS != ERROR_FIELDS or error["success"] is not False:
        yield "the error has another shape"
        return
    if error["code"] not in CODES or not error["error"].endswith("."):
        yield "the error has no known code, or no sentence"
    if error["request_id"] != answer.headers.get("x-request-id"):
        yield "the error has another request id than the header"
    if answer.status >= 500 and (
        (answer.status, error["code"]) not in EXPLAINED_5XX or "tiktok" not in error
    ):
        yield "a server error"


def _codes(root: type[ConnectorError]) -> set[str]:
    return {root.code}.union(*map(_codes, root.__subclasses__()))


CODES = _codes(ConnectorError)
