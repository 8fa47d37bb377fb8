"""From bytes to a model, or a sentence about what is wrong with them that never repeats them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from connector.errors import InvalidRequest, UnsupportedMediaType

T = TypeVar("T", bound=BaseModel)

LARGEST_BODY = 64 * 1024
BODY_WITHIN = 30.0

SENTENCES = {
    "missing": "{field} is missing.",
    "json_invalid": "The body is not valid JSON.",
    "model_type": "The body must be a JSON object.",
    "string_type": "{field} must be text, in quotes.",
    "string_too_short": "{field} is empty.",
    "string_too_long": "{field} is longer than {max_length} characters.",
    "string_pattern_mismatch": "{field} holds a character that is not allowed.",
    "greater_than_equal": "{field} must be at least {ge}.",
    "less_than_equal": "{field} must be at most {le}.",
    "int_parsing": "{field} must be a whole number.",
}


async def body(request: web.Request, model: type[T]) -> T:
    """No body at all is an empty object, so that what is missing is told by name."""
    raw = await _read(request)
    if raw:
        _check_type(request)
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as wrong:
        raise InvalidRequest(_sentences(wrong)) from None


def query(request: web.Request, model: type[T]) -> T:
    given: Mapping[str, str] = request.query
    try:
        return model.model_validate({name: given[name] for name in given})
    except ValidationError as wrong:
        raise InvalidRequest(_sentences(wrong)) from None


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(None if request.content.is_eof() else BODY_WITHIN):
            return await request.read()
    except TimeoutError:
        raise InvalidRequest(f"The body did not arrive within {BODY_WITHIN:g} seconds.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise InvalidRequest("The body broke off, or is not what its headers say.") from None


def _check_type(request: web.Request) -> None:
    type = request.content_type if "Content-Type" in request.headers else "none"
    if type != "application/json" and not type.endswith("+json"):
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send the JSON in UTF-8.")


def _sentences(wrong: ValidationError) -> str:
    errors = wrong.errors(include_url=False, include_input=False)
    return " ".join(dict.fromkeys(_sentence(dict(error)) for error in errors))


def _sentence(error: dict[str, Any]) -> str:
    field = ".".join(map(str, error["loc"])) or "The body"
    if error["type"] == "number":
        return f"{field} {error['msg']}."
    template = SENTENCES.get(error["type"], "{field} is not as it should be: {msg}.")
    return template.format(field=field, msg=error["msg"], **error.get("ctx", {}))
