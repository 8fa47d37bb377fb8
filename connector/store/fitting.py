"""What may go into the memory, and what may be taken for its answer."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from connector.errors import StoreUnreachable
from connector.model import Row

from .refusals import unreachable

log = logging.getLogger(__name__)

UNSTORABLE = re.compile("[\0\ud800-\udfff]")

R = TypeVar("R", bound=Row)


def every(kind: type[R], rows: Sequence[Any]) -> list[R]:
    """Rows of another shape are somebody else's answer; what is wrong with them quotes them."""
    try:
        return [kind.model_validate(row) for row in rows]
    except ValidationError:
        raise _strange(f"What the store answered is no {kind.__name__}.") from None


def first(kind: type[R], rows: Sequence[Any]) -> R:
    if not rows:
        raise _strange(f"The store answered without a {kind.__name__}.")
    return every(kind, rows[:1])[0]


def alone(kind: type[R], rows: Sequence[Any]) -> R | StoreUnreachable:
    """As `first`, for one of many: the failure is answered, so that it stays with that one."""
    try:
        return first(kind, rows)
    except StoreUnreachable as strange:
        return strange


def _strange(detail: str) -> StoreUnreachable:
    log.warning("store in trouble because=%s", detail)
    return unreachable(detail)


def storable(value: Any) -> Any:
    """PostgreSQL holds neither NUL nor half a surrogate pair; TikTok's people may well send them."""
    if isinstance(value, str):
        fine = value.isascii() and "\0" not in value
        return value if fine else UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list | dict):
        written = json.dumps(value)
        fine = "\\u0000" not in written and "\\ud" not in written
        return value if fine else _mended(value)
    return value


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(part) for part in value]
    if isinstance(value, dict):
        return {name: _mended(part) for name, part in value.items()}
    return storable(value)
