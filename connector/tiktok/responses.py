"""Parses TikTok's response envelopes, and reads typed values from them.

There are two envelopes. business-api.tiktok.com responds `{code, message, request_id, data}` with
HTTP 200 on failure, so only `code` counts. TikTok for Developers responds `{data, error: {code,
message, log_id}}`, its OAuth endpoints flat and often with HTTP 200 on failure too, so `error` is
checked first (https://developers.tiktok.com/doc/oauth-error-handling).

A parser returns the promised type or raises a `TikTokError`, whatever the response contains. The
errors of JSON parsers contain the body, which may contain a token. So the errors of this module are
raised outside the `except` block and have no context. Optional fields of a refresh response may be missing or
malformed, because its tokens are the only valid ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn, TypeAlias
from urllib.parse import quote

from pydantic import SecretStr

from connector.errors import TikTokError, UpstreamError
from connector.model import Grant, Tokens

from .error_codes import (
    CODE_REJECTED,
    MALFORMED_RESPONSE,
    ErrorMapping,
    Purpose,
    map_business_code,
    map_http_status,
    map_open_code,
)
from .http import Response

JsonObject: TypeAlias = Mapping[str, object]

# 20001 means "partly done"; a response to a read contains what could be read.
SUCCESS_CODES = (0, 20001)
_ACCESS_TOKEN_PATTERN = re.compile(r"[!-~]{1,4096}")  # Safe in a header: no line break.
_TOKEN_PATTERN = re.compile(r"\b(?:act|rft|clt)\.[^\s\"',;]+")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUEST_ID_FIELDS = ("request_id", "log_id", "logid")
_REQUEST_ID_HEADERS = ("x-tt-logid", "x-tt-trace-id")
_MAX_ID_LENGTH = 128
_MAX_MESSAGE_LENGTH = 300
_MAX_DISPLAY_TEXT_LENGTH = 200
_MAX_LIFETIME_SECONDS = 100 * 365 * 86400
# Half of the shortest lifetime that TikTok documents.
_UNKNOWN_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class ParseContext:
    """The purpose of a call, and the secrets of its request. No message may repeat a secret.

    `code_lifetime` is that of the family, if the call redeems a code.
    """

    purpose: Purpose = "call"
    secrets: tuple[SecretStr, ...] = ()
    code_lifetime: timedelta | None = None


@dataclass(frozen=True)
class ResponseData:
    """A JSON object of a response. A method with several names reads the first present field."""

    fields: JsonObject = field(repr=False)
    requested_at: datetime
    request_id: str | None = None

    def id(self, *names: str) -> str:
        """Accepts strings, as documented, and integers, which TikTok also sends. A float lost digits."""
        id = self.optional_id(*names)
        if id is None:
            raise self._malformed()
        return id

    def optional_id(self, *names: str) -> str | None:
        """Returns None if the id is missing or malformed."""
        return parse_id(_first_present(self.fields, names))

    def display_text(self, name: str) -> str:
        """Returns a name for people, at most one line. A malformed name never fails the response."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            return ""
        return _CONTROL_CHARACTERS.sub("", value)[:_MAX_DISPLAY_TEXT_LENGTH]

    def scopes(self) -> tuple[str, ...]:
        """Accepts a list of numbers (some beyond 2^53) or comma-separated text; the family decides."""
        value = self.fields.get("scope")
        if isinstance(value, str):
            return tuple(filter(None, re.split(r"[,\s]+", value)))
        items = value if isinstance(value, list) else []
        return tuple(str(item) for item in items if type(item) in (int, str))

    def tokens(self, *, replacing: Tokens | None = None) -> Tokens:
        """Reads the field names of every family and API version.

        If the response lacks a field, the field of `replacing` is used, and its lifetime counts from this
        request. A first token without a lifetime is valid until it is revoked.
        """
        access, refresh = self.fields.get("access_token"), self.fields.get("refresh_token")
        if not isinstance(access, str) or not _ACCESS_TOKEN_PATTERN.fullmatch(access):
            raise self._malformed()
        tokens = Tokens(
            access=SecretStr(access),
            refresh=SecretStr(refresh) if isinstance(refresh, str) and refresh else None,
            expires_at=self._expiry("expires_in", "expires"),
            refresh_expires_at=self._expiry(
                "refresh_token_expires_in", "refresh_expires_in", "refresh_expires"
            ),
        )
        if replacing is None:
            return tokens
        return replace(
            tokens,
            refresh=tokens.refresh or replacing.refresh,
            expires_at=tokens.expires_at or self._expiry_like(replacing),
            refresh_expires_at=tokens.refresh_expires_at or replacing.refresh_expires_at,
        )

    def grant(self, *user_id_fields: str) -> Grant:
        """A malformed user id must not lose the tokens: the code cannot be redeemed again."""
        return Grant(self.tokens(), self.optional_id(*user_id_fields), self.scopes())

    def object(self, name: str) -> ResponseData:
        value = self.fields.get(name)
        if isinstance(value, dict):
            return replace(self, fields=value)
        raise self._malformed()

    def objects(self, name: str) -> tuple[ResponseData, ...]:
        """An empty list may be null, which is how Go encodes it. A missing list is an error."""
        items = self.fields.get(name)
        if items is None and name in self.fields:
            return ()
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            return tuple(replace(self, fields=item) for item in items)
        raise self._malformed()

    def _expiry(self, *names: str) -> datetime | None:
        """Counts from the request. Returns None if the lifetime is missing, zero or malformed."""
        value = _first_present(self.fields, names)
        if isinstance(value, str) and value.isdecimal() and len(value) <= 10:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if 0 < value <= _MAX_LIFETIME_SECONDS:
            return self.requested_at + timedelta(seconds=int(value))
        return None

    def _expiry_like(self, earlier: Tokens) -> datetime | None:
        if earlier.expires_at is None:
            return None
        lifetime = _UNKNOWN_LIFETIME
        if earlier.issued_at is not None and earlier.issued_at < earlier.expires_at:
            lifetime = earlier.expires_at - earlier.issued_at
        return self.requested_at + lifetime

    def _malformed(self) -> TikTokError:
        return MALFORMED_RESPONSE.error(
            MALFORMED_RESPONSE.message,
            upstream=UpstreamError(request_id=self.request_id),
            retry_after=MALFORMED_RESPONSE.retry_after,
        )


def parse_business_response(response: Response, context: ParseContext) -> ResponseData:
    """Merges the fields of `data` with the top-level fields.

    TikTok has also sent token fields at the top level, and in one variant of the exchange without
    any `code` (Marketing API portal, "Authentication"; NangoHQ/nango#1701).
    """
    payload = parse_json_object(response.body) or {}
    code = payload.get("code", 0 if "access_token" in payload else None)
    # Otherwise the HTTP status says nothing here, but a redirect is not a response of this API.
    if type(code) is not int or (code in SUCCESS_CODES and 300 <= response.status < 400):
        _raise_for_status(response)
    request_id = _request_id(payload, response)
    if code not in SUCCESS_CODES:
        message = _redact(payload.get("message"), context)
        mapping = map_business_code(code, message=message, purpose=context.purpose)
        mapping = _with_code_lifetime(mapping, context)
        _raise_mapped(mapping, response, UpstreamError(code, message, request_id))
    return ResponseData(_flatten_data(payload), response.requested_at, request_id)


def parse_open_response(response: Response, context: ParseContext) -> ResponseData:
    """Merges the fields of `data` with the top-level fields: OAuth responses are flat."""
    payload = parse_json_object(response.body)
    if payload is None:
        _raise_for_status(response)
    error = payload.get("error") or "ok"
    envelope = error if isinstance(error, dict) else {**payload, "code": error}
    code = envelope.get("code")
    if not isinstance(code, str) or (code == "ok" and response.status >= 300):
        _raise_for_status(response)
    request_id = _request_id(envelope, response)
    if code != "ok":
        message = _redact(envelope.get("message") or envelope.get("error_description"), context)
        mapping = map_open_code(code, status=response.status, purpose=context.purpose)
        upstream = UpstreamError(_redact(code, context), message, request_id)
        _raise_mapped(_with_code_lifetime(mapping, context), response, upstream)
    return ResponseData(_flatten_data(payload), response.requested_at, request_id)


def _raise_for_status(response: Response) -> NoReturn:
    """For a response without an envelope: only its HTTP status is known."""
    upstream = UpstreamError(
        message=f"HTTP {response.status}", request_id=_request_id({}, response)
    )
    _raise_mapped(map_http_status(response.status), response, upstream)


def parse_json_object(body: bytes) -> dict[str, object] | None:
    """Returns None if the body is not a JSON object that can be stored again.

    This excludes NaN, integers of thousands of digits, unlimited nesting, and unpaired surrogates,
    which only an escape can contain and which no database accepts.
    """
    try:
        value = _JSON_DECODER.decode(body.decode())
        if b"\\ud" in body.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def parse_id(value: object) -> str | None:
    # The limit also keeps an integer of thousands of digits away from `str`.
    text = str(value) if type(value) is int and 0 <= value < 10**_MAX_ID_LENGTH else value
    if isinstance(text, str) and 0 < len(text) <= _MAX_ID_LENGTH and text.isprintable():
        return text
    return None


def _first_present(fields: JsonObject, names: tuple[str, ...]) -> object:
    for name in names:
        if (value := fields.get(name)) is not None:
            return value
    return None


def _flatten_data(payload: dict[str, object]) -> dict[str, object]:
    data = payload.get("data")
    return {**payload, **data} if isinstance(data, dict) else payload


def _with_code_lifetime(mapping: ErrorMapping, context: ParseContext) -> ErrorMapping:
    if mapping is not CODE_REJECTED or context.code_lifetime is None:
        return mapping
    minutes = context.code_lifetime // timedelta(minutes=1)
    return replace(
        mapping, message=f"{mapping.message} A code is valid once, and for {minutes} minutes."
    )


def _raise_mapped(mapping: ErrorMapping, response: Response, upstream: UpstreamError) -> NoReturn:
    # TikTok's own API sends no Retry-After; a gateway in front of it may.
    requested_wait = response.headers.get("retry-after", "")
    retry_after = mapping.retry_after
    if retry_after and requested_wait.isdecimal() and len(requested_wait) <= 5:
        retry_after = float(requested_wait)
    raise mapping.error(mapping.message, upstream=upstream, retry_after=retry_after)


def _request_id(fields: JsonObject, response: Response) -> str | None:
    """Reads `log_id` (TikTok's samples), `logid` (some tables), or else the tracing headers."""
    for source, names in ((fields, _REQUEST_ID_FIELDS), (response.headers, _REQUEST_ID_HEADERS)):
        for name in names:
            value = source.get(name)
            if isinstance(value, str) and value:
                return _CONTROL_CHARACTERS.sub("", value)[:_MAX_ID_LENGTH]
    return None


def _redact(message: object, context: ParseContext) -> str:
    """Makes TikTok's message safe to show: one short line without secrets and tokens."""
    text = message if isinstance(message, str) else ""
    secrets = [secret.get_secret_value() for secret in context.secrets]
    # Longest first: a shorter secret may be part of a longer one.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…").replace(quote(secret, safe=""), "…")
    return _CONTROL_CHARACTERS.sub(" ", _TOKEN_PATTERN.sub("…", text))[:_MAX_MESSAGE_LENGTH]


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
