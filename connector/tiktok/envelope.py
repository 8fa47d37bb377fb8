"""How TikTok's answers are wrapped, and how anything is taken out of them.

Two grammars. business-api.tiktok.com answers `{code, message, request_id, data}` and HTTP 200 on
failure, so only `code` counts. TikTok for Developers answers `{data, error: {code, message, log_id}}`,
its OAuth endpoints flat, their failures often with HTTP 200 too, so `error` is looked at first
(https://developers.tiktok.com/doc/oauth-error-handling).

Whatever arrives, a reader returns what it promised or raises a `TikTokError`. Parser errors carry the
body, which may be a token, so ours are raised outside the `except` and have no context. A refresh
answer is forgiven all it can be: its tokens are the only ones there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn
from urllib.parse import quote

from pydantic import SecretStr

from connector.errors import Said, TikTokError
from connector.model import Grant, Tokens
from connector.wire import Response

from .verdicts import GARBLED, Purpose, Verdict, of_code, of_status, of_word

# 20001 is "partly done": for one who reads, what is there is what there is.
_FINE = (0, 20001)
_ACCESS_TOKEN = re.compile(r"[!-~]{1,4096}")  # Fit for a header: nothing there may end the line.
_TOKEN_SHAPED = re.compile(r"\b(?:act|rft|clt)\.[^\s\"',;]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_ID = 128
_LONGEST_LIFE = 100 * 365 * 86400


@dataclass(frozen=True)
class Asked:
    """What the question was for, and what its answer must not repeat to anyone."""

    purpose: Purpose = "call"
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Answer:
    """An object out of an answer. The first of several names that is there is the one read."""

    fields: Mapping[str, object] = field(repr=False)
    asked_at: datetime
    request_id: str | None = None

    def identifier(self, *names: str) -> str:
        """Ids are documented as strings and also arrive as numbers; floats have lost digits."""
        value = self._first(names)
        text = str(value) if type(value) is int and value >= 0 else value
        if isinstance(text, str) and 0 < len(text) <= _LONGEST_ID and text.isprintable():
            return text
        raise self._garbled()

    def identifier_if_any(self, *names: str) -> str | None:
        return None if self._first(names) in (None, "") else self.identifier(*names)

    def label(self, name: str) -> str:
        """A name for people: never a reason to refuse an answer, nor longer than a line."""
        value = self.fields.get(name)
        return _CONTROL.sub("", value)[:200] if isinstance(value, str) else ""

    def scopes(self) -> tuple[str, ...]:
        """A list of numbers (some beyond 2^53) or a text with commas, as each family has it."""
        value = self.fields.get("scope")
        if isinstance(value, str):
            return tuple(filter(None, re.split(r"[,\s]+", value)))
        items = value if isinstance(value, list) else []
        return tuple(str(item) for item in items if type(item) in (int, str))

    def tokens(self, *, replacing: Tokens | None = None) -> Tokens:
        """Under any of the names the families and versions use.

        What the answer leaves out stays as it was in the tokens it replaces. No lifetime at all
        means until revoked.
        """
        refresh = self.fields.get("refresh_token")
        fresh = Tokens(
            access=self._access_token(),
            refresh=SecretStr(refresh) if isinstance(refresh, str) and refresh else None,
            expires_at=self._moment("expires_in", "expires"),
            refresh_expires_at=self._moment(
                "refresh_token_expires_in", "refresh_expires_in", "refresh_expires"
            ),
        )
        if replacing is None:
            return fresh
        return replace(
            fresh,
            refresh=fresh.refresh or replacing.refresh,
            refresh_expires_at=fresh.refresh_expires_at or replacing.refresh_expires_at,
        )

    def grant(self, *subject: str) -> Grant:
        return Grant(self.tokens(), self.identifier_if_any(*subject), self.scopes())

    def under(self, name: str) -> Answer:
        value = self.fields.get(name)
        if isinstance(value, dict):
            return replace(self, fields=value)
        raise self._garbled()

    def each(self, name: str) -> tuple[Answer, ...]:
        items = self.fields.get(name, "")
        items = [] if items is None else items  # How Go writes a list with nothing in it.
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            return tuple(replace(self, fields=item) for item in items)
        raise self._garbled()

    def _first(self, names: tuple[str, ...]) -> object:
        return next((v for name in names if (v := self.fields.get(name)) is not None), None)

    def _access_token(self) -> SecretStr:
        value = self.fields.get("access_token")
        if isinstance(value, str) and _ACCESS_TOKEN.fullmatch(value):
            return SecretStr(value)
        raise self._garbled()

    def _moment(self, *names: str) -> datetime | None:
        """Seconds from when we asked. Nothing, nought and nonsense alike say nothing about it."""
        value = self._first(names)
        if isinstance(value, str) and value.isdecimal() and len(value) <= 10:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if 0 < value <= _LONGEST_LIFE:
            return self.asked_at + timedelta(seconds=int(value))
        return None

    def _garbled(self) -> TikTokError:
        return GARBLED.error(
            GARBLED.sentence,
            said=Said(request_id=self.request_id),
            retry_after=GARBLED.retry_after,
        )


def read_business(response: Response, asked: Asked) -> Answer:
    """What is under `data`, together with what stands beside it.

    Token fields have been seen at the top as well, and in one form of the exchange with no `code`
    at all (Marketing API portal, "Authentication"; NangoHQ/nango#1701).
    """
    answer = json_object(response.body) or {}
    code = answer.get("code", 0 if "access_token" in answer else None)
    if type(code) is not int:
        refuse(response)
    if code not in _FINE:
        message = _clean(answer.get("message"), asked)
        verdict = of_code(code, message, asked.purpose)
        _raise(verdict, response, Said(code, message, _request_id(answer, response)))
    return Answer(_laid_flat(answer), response.asked_at, _request_id(answer, response))


def read_open(response: Response, asked: Asked) -> Answer:
    """OAuth answers are flat and the others have `data` in them; either is found by its names."""
    answer = json_object(response.body)
    if answer is None:
        refuse(response)
    error = answer.get("error") or "ok"
    wrapped = error if isinstance(error, dict) else {**answer, "code": error}
    code = wrapped.get("code")
    if not isinstance(code, str) or (code == "ok" and response.status >= 300):
        refuse(response)
    if code != "ok":
        message = _clean(wrapped.get("message") or wrapped.get("error_description"), asked)
        verdict = of_word(code, response.status, asked.purpose)
        said = Said(_clean(code, asked), message, _request_id(wrapped, response))
        _raise(verdict, response, said)
    return Answer(_laid_flat(answer), response.asked_at, _request_id(wrapped, response))


def refuse(response: Response) -> NoReturn:
    """For an answer with no envelope to read: its status is all there is to go by."""
    said = Said(message=f"HTTP {response.status}", request_id=_request_id({}, response))
    _raise(of_status(response.status), response, said)


def json_object(body: bytes) -> dict[str, object] | None:
    """None unless it is one that can be written down again.

    Refused with the rest: NaN, integers of thousands of digits, nesting without end, and halves of
    surrogate pairs, which only an escape can smuggle in and which no database takes.
    """
    try:
        value = _JSON.decode(body.decode())
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def header(response: Response, name: str) -> str | None:
    return next((v for k, v in response.headers.items() if k.lower() == name), None)


def _laid_flat(answer: dict[str, object]) -> dict[str, object]:
    data = answer.get("data")
    return {**answer, **data} if isinstance(data, dict) else answer


def _raise(verdict: Verdict, response: Response, said: Said) -> NoReturn:
    # TikTok's own API sends no Retry-After; the gateways before it may.
    asked_to_wait = header(response, "retry-after") or ""
    wait = verdict.retry_after
    if wait and asked_to_wait.isdecimal() and len(asked_to_wait) <= 5:
        wait = float(asked_to_wait)
    raise verdict.error(verdict.sentence, said=said, retry_after=wait)


def _request_id(fields: Mapping[str, object], response: Response) -> str | None:
    """`log_id` in the samples, `logid` in some tables; failing these, the headers for tracing."""
    named = (fields.get(name) for name in ("request_id", "log_id", "logid"))
    traced = (header(response, name) for name in ("x-tt-logid", "x-tt-trace-id"))
    found = next((v for v in (*named, *traced) if isinstance(v, str) and v), None)
    return _CONTROL.sub("", found)[:_LONGEST_ID] if found else None


def _clean(message: object, asked: Asked) -> str:
    """TikTok's own words, fit to be shown: on one line, not long, and without what we sent it."""
    text = message if isinstance(message, str) else ""
    for secret in sorted(filter(None, asked.secrets), key=len, reverse=True):
        text = text.replace(secret, "…").replace(quote(secret, safe=""), "…")
    return _CONTROL.sub(" ", _TOKEN_SHAPED.sub("…", text))[:300]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON = json.JSONDecoder(parse_constant=_no_constant)
