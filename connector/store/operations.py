"""The base class of the store's operations, the conversion of rows to records, and the replacement of
characters that a database cannot store."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from connector.errors import (
    ConfigurationError,
    ConnectorError,
    InternalError,
    StoreUnreachable,
)
from connector.model import FrozenModel

from .database import Database
from .database_errors import RolledBack, unreachable_error
from .records import JsonObject

log = logging.getLogger(__name__)

PAGE_SIZE = 200
OPERATIONS_WITH_EVENTS = frozenset(
    {
        "apply_outcomes",
        "mark_disconnected",
        "receive_webhook",
        "replay_deliveries",
        "select_advertiser",
        "upsert_connections",
    }
)
UNSTORABLE = re.compile("[\0\ud800-\udfff]")

R = TypeVar("R", bound=FrozenModel)

ERRORS_OF_ONE_ITEM = (InternalError, ConfigurationError, RolledBack)
"""If a batch fails with such an error, one item of the batch may be the cause."""


@dataclass(frozen=True)
class BatchItem:
    """One row of a batched operation, with the arguments that all rows of a batch share."""

    fields: JsonObject
    now: datetime | None
    lease: timedelta = timedelta(0)


class Operations:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_logged_error: str | None = None
        self.event_written = asyncio.Event()
        """Set after each operation of this process that may have written an event or queued a delivery."""

    async def _call(self, operation: str, **arguments: object) -> list[JsonObject]:
        storable = {name: replace_unstorable(value) for name, value in arguments.items()}
        try:
            rows = await self._database.call(operation, **storable)
        except ConnectorError as error:
            self._log_once(error)
            raise
        self._last_logged_error = None
        if operation in OPERATIONS_WITH_EVENTS:
            self.event_written.set()
        return rows

    def _log_once(self, error: ConnectorError) -> None:
        """Logs the detail of an error once, until the error changes or a call succeeds. Callers get a general sentence."""
        if error.detail != self._last_logged_error:
            log.warning("store call failed code=%s error=%s", error.code, error.detail)
        self._last_logged_error = error.detail


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
    """Replaces NUL and lone surrogates: TikTok's texts and keys may contain them, but PostgreSQL refuses them."""
    if isinstance(value, str):
        storable = value.isascii() and "\0" not in value
        return value if storable else UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list | dict):
        try:
            storable = b"\\u0000" not in to_json(value)
        except PydanticSerializationError:  # A lone surrogate has no UTF-8.
            storable = False
        return value if storable else _replace_in(value)
    return value


def _replace_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_replace_in(part) for part in value]
    if isinstance(value, dict):
        return {replace_unstorable(name): _replace_in(part) for name, part in value.items()}
    return replace_unstorable(value)
