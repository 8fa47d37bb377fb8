"""Defines the base class of the store's operations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.errors import ConfigurationError, ConnectorError, InternalError

from .database import Database
from .database_errors import RolledBack
from .records import JsonObject
from .row_parsing import replace_unstorable

log = logging.getLogger(__name__)

PAGE_SIZE = 200

ERRORS_OF_ONE_ITEM = (InternalError, ConfigurationError, RolledBack)
"""A batch that fails with one of these may fail because of a single item in it."""


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

    async def _call(self, operation: str, **arguments: object) -> list[JsonObject]:
        storable = {name: replace_unstorable(value) for name, value in arguments.items()}
        try:
            rows = await self._database.call(operation, **storable)
        except ConnectorError as error:
            self._log_once(error)
            raise
        self._last_logged_error = None
        return rows

    def _log_once(self, error: ConnectorError) -> None:
        """Logs the detail of an error once until the error changes. Callers get a general sentence."""
        if error.detail != self._last_logged_error:
            log.warning("store call failed code=%s error=%s", error.code, error.detail)
        self._last_logged_error = error.detail
