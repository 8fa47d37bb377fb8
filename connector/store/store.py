"""Combines the typed operations on `Database.call`, one class per subject.

The name and arguments of each operation are written in three places: in these classes, in `sqlite/*.sql`
and in `sql/functions/*.sql`; a test compares them. Replicas must agree on the time `now`. In production
`now` is None, and the database's clock is used. Callers encrypt tokens before they call the store.
"""

from __future__ import annotations

from .audit import AuditOperations
from .codes import CodeOperations
from .connection_lists import ConnectionListOperations
from .connections import ConnectionOperations
from .database import Database
from .database_errors import APPLY_SQL, misconfigured_error
from .deliveries import DeliveryOperations
from .encryption import CiphertextOperations
from .endpoints import EndpointOperations
from .erasure import ErasureOperations
from .events import EventOperations
from .history import HistoryOperations
from .privileges import PrivilegeOperations
from .sessions import SessionOperations
from .tokens import TokenRowOperations
from .webhooks import WebhookOperations

SCHEMA_VERSION = 5


class Store(
    CodeOperations,
    ConnectionOperations,
    ConnectionListOperations,
    TokenRowOperations,
    HistoryOperations,
    CiphertextOperations,
    ErasureOperations,
    SessionOperations,
    AuditOperations,
    PrivilegeOperations,
    EventOperations,
    DeliveryOperations,
    EndpointOperations,
    WebhookOperations,
):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.name = database.name

    async def require_schema(self) -> None:
        """Raises unless the database responds, can be written and has the schema of this version."""
        rows = await self._call("schema_version")
        version = rows[0].get("version") if rows else None
        if version != SCHEMA_VERSION:
            remedy = "choose another SQLite file." if self.name == "sqlite" else APPLY_SQL
            error = misconfigured_error(
                f"The database has schema version {version}, this service needs {SCHEMA_VERSION}: "
                f"{remedy}"
            )
            self._log_once(error)
            raise error
