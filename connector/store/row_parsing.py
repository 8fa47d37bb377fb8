"""Converts rows to records, and replaces the characters that a database cannot store."""

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


def parse_rows(record_class: type[R], rows: Sequence[Any]) -> list[R]:
    """Converts rows. An error never contains pydantic's message, because it quotes the row."""
    try:
        return [record_class.model_validate(row) for row in rows]
    except ValidationError:
        raise _malformed_rows(f"The store did not return a {record_class.__name__}.") from None


def parse_first_row(record_class: type[R], rows: Sequence[Any]) -> R:
    if not rows:
        raise _malformed_rows(f"The store returned no {record_class.__name__}.")
    return parse_rows(record_class, rows[:1])[0]


def parse_row_or_error(record_class: type[R], row: Any) -> R | StoreUnreachable:
    """Returns the error instead of raising it, so that only one item of a batch fails."""
    try:
        return parse_rows(record_class, [row])[0]
    except StoreUnreachable as error:
        return error


def _malformed_rows(detail: str) -> StoreUnreachable:
    log.warning("store returned malformed rows error=%s", detail)
    return unreachable_error(detail)


def replace_unstorable(value: Any) -> Any:
    """Replaces NUL and lone surrogates: names at TikTok may contain them, but PostgreSQL refuses them."""
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
