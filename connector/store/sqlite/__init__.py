"""SQLite: the database, and its operations as SQL files, one per subject."""

from __future__ import annotations

from .database import JSON_COLUMNS, SQLite
from .operation_sql import OperationSql, load_operations

__all__ = ["JSON_COLUMNS", "OperationSql", "SQLite", "load_operations"]
