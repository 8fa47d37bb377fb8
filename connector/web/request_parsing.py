"""Turns a body or query into a request model, or raises an error that repeats names but no values."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from connector.errors import InvalidRequest, UnsupportedMediaType

T = TypeVar("T", bound=BaseModel)

MAX_BODY_BYTES = 64 * 1024
MAX_LINE_BYTES = 32 * 1024
"""For the first line and for each header. aiohttp's default of 8 KiB is too small: a browser also sends
the cookies of a parent domain, and the cookies of a signed-in Supabase user alone can be larger."""

BODY_TIMEOUT = 15.0
MAX_NAME_LENGTH = 100
"""For the name of an unknown parameter, which an error repeats."""

VALIDATION_MESSAGES = {
    "missing": "{field} is missing.",
    "json_invalid": "The body is not valid JSON.",
    "model_type": "The body must be a JSON object.",
    "string_type": "{field} must be text, in quotes.",
    "string_too_short": "{field} is empty.",
    "string_too_long": "{field} is longer than {max_length} characters.",
    "string_pattern_mismatch": "{field} contains a character that is not allowed.",
    "greater_than_equal": "{field} must be at least {ge}.",
    "less_than_equal": "{field} must be at most {le}.",
    "extra_forbidden": "{field} is not a parameter of this address.",
    "literal_error": "{field} must be {expected}.",
    "int_parsing": "{field} must be a whole number.",
    "timezone_aware": "{field} must have a time zone, such as Z at its end.",
    "datetime_parsing": "{field} must be a time such as 2026-11-21T14:00:00Z.",
    "datetime_from_date_parsing": "{field} must be a time such as 2026-11-21T14:00:00Z.",
    "datetime_type": "{field} must be a time such as 2026-11-21T14:00:00Z.",
    "time_range": "{field} is too early or too late.",
}


async def parse_body(request: web.Request, model: type[T]) -> T:
    """Parses an empty body as an empty object, so that the error names the missing fields."""
    body = await read_body(request)
    if body:
        _check_media_type(request)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise InvalidRequest(_messages(error)) from None


def parse_query(request: web.Request, model: type[T]) -> T:
    try:
        # Indexing returns the first value of a parameter that occurs twice.
        return model.model_validate({name: request.query[name] for name in request.query})
    except ValidationError as error:
        raise InvalidRequest(_messages(error)) from None


async def read_body(request: web.Request) -> bytes:
    """Reads the body, or raises an error after a timeout.

    The parser of aiohttp does not report an invalid framing of the body to a waiting reader, so such a body
    also ends in the timeout. The connection is then closed, because the start of the next request is unknown.
    """
    try:
        async with asyncio.timeout(None if request.content.is_eof() else BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        request.content.set_exception(web.RequestPayloadError("the body is incomplete"))
        raise InvalidRequest(f"The body was not complete after {BODY_TIMEOUT:g} seconds.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidRequest("The body is incomplete, or does not match its headers.") from None


def _check_media_type(request: web.Request) -> None:
    media_type = request.content_type if "Content-Type" in request.headers else "none"
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the JSON in UTF-8.")


def _messages(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False)
    return " ".join(dict.fromkeys(_message(dict(detail)) for detail in details))


def _message(detail: dict[str, Any]) -> str:
    field = ".".join(map(str, detail["loc"]))[:MAX_NAME_LENGTH] or "The body"
    if detail["type"] == "number":
        return f"{field} {detail['msg']}."
    template = VALIDATION_MESSAGES.get(detail["type"], "{field} is not valid: {msg}.")
    return template.format(field=field, msg=detail["msg"], **detail.get("ctx", {}))
