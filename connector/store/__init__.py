"""Provides typed operations on the database.

`Store` has one method per operation. SQLite, Supabase and PostgreSQL implement the interface `Database`.
An operation is one transaction. All errors are classes of `connector.errors`.
"""

from __future__ import annotations

from .audit import ERASED, AuditAction, AuditEntry, AuditFilter, AuditPosition
from .connection_lists import SEVERITIES, ConnectionFilter, ListPosition
from .database import Database
from .database_errors import APPLY_SQL
from .event_records import (
    DeliveryResult,
    DeliveryRow,
    DeliveryState,
    EndpointRow,
    EndpointState,
    EventBounds,
    EventRow,
    LeasedDelivery,
    NumberingResult,
    ReplayResult,
    WebhookApp,
    WebhookOutcome,
    WebhookResult,
    WebhookRow,
)
from .history import Retention
from .operations import ERRORS_OF_ONE_ITEM
from .outcome import Outcome
from .postgres_address import weak_ssl_mode
from .records import (
    AnsweredCode,
    AttemptCount,
    ClaimedCode,
    CodeBusy,
    CodeClaim,
    ConnectionCount,
    ConnectionUpsert,
    EncryptedRow,
    ExistingConnection,
    JsonObject,
    PrivilegeProblem,
    Replacement,
    StoredReply,
    UpsertResult,
    UserAccountsReport,
)
from .selection import select_database
from .store import SCHEMA_VERSION, Store

__all__ = [
    "APPLY_SQL",
    "ERASED",
    "ERRORS_OF_ONE_ITEM",
    "SCHEMA_VERSION",
    "SEVERITIES",
    "AnsweredCode",
    "AttemptCount",
    "AuditAction",
    "AuditEntry",
    "AuditFilter",
    "AuditPosition",
    "ClaimedCode",
    "CodeBusy",
    "CodeClaim",
    "ConnectionCount",
    "ConnectionFilter",
    "ConnectionUpsert",
    "Database",
    "DeliveryResult",
    "DeliveryRow",
    "DeliveryState",
    "EncryptedRow",
    "EndpointRow",
    "EndpointState",
    "EventBounds",
    "EventRow",
    "ExistingConnection",
    "JsonObject",
    "LeasedDelivery",
    "ListPosition",
    "NumberingResult",
    "Outcome",
    "PrivilegeProblem",
    "Replacement",
    "ReplayResult",
    "Retention",
    "Store",
    "StoredReply",
    "UpsertResult",
    "UserAccountsReport",
    "WebhookApp",
    "WebhookOutcome",
    "WebhookResult",
    "WebhookRow",
    "select_database",
    "weak_ssl_mode",
]
