"""Rows into records. Also replaces the characters that a database cannot store."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from connector.errors import StoreUnreachable
from connector.model import FrozenModel

from .database_errors import unreachable_error

log = logging.getLogger(__name__)

UNSTORABLE = re.compile("[\0\ud800-\udfff]")

R = TypeVar("R", bound=FrozenModel)


def parse_rows(kind: type[R], rows: Sequence[Any]) -> list[R]:
    """Raises without pydantic's message, because the message quotes the row."""
    try:
        return [kind.model_validate(row) for row in rows]
    except ValidationError:
        raise _malformed_rows(f"The store did not return a {kind.__name__}.") from None


def parse_first_row(kind: type[R], rows: Sequence[Any]) -> R:
    if not rows:
        raise _malformed_rows(f"The store returned no {kind.__name__}.")
    return parse_rows(kind, rows[:1])[0]


def parse_row_or_error(kind: type[R], rows: Sequence[Any]) -> R | StoreUnreachable:
    """For one item of a batch: returns the error, so that only this item fails."""
    try:
        return parse_first_row(kind, rows)
    except StoreUnreachable as error:
        return error


def _malformed_rows(detail: str) -> StoreUnreachable:
    log.warning("store returned malformed rows error=%s", detail)
    return unreachable_error(detail)


def replace_unstorable(value: Any) -> Any:
    """PostgreSQL stores neither NUL nor a lone surrogate, and names at TikTok may contain them."""
    if isinstance(value, str):
        storable = value.isascii() and "\0" not in value
        return value if storable else UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list | dict):
        encoded = json.dumps(value)
        storable = "\\u0000" not in encoded and "\\ud" not in encoded
        return value if storable else _replace_in(value)
    return value


def _replace_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_replace_in(part) for part in value]
    if isinstance(value, dict):
        return {name: _replace_in(part) for name, part in value.items()}
    return replace_unstorable(value)
