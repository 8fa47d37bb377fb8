"""The log on standard error: one line for each event, as text or as JSON.

Only the service's own loggers log below `warning`. Other libraries log URLs at those levels, and the
URLs that the service calls contain secrets.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "at": _format_time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)-7s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return f"{_format_time(record)} {super().format(record)}"


def _format_time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class StderrHandler(logging.StreamHandler[TextIO]):
    """Reads `sys.stderr` for each record, because a visible progress bar replaces `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str, *, format: str = "text") -> None:
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("connector").setLevel(level.upper())


def configure_for_command(level: str, *, format: str = "text") -> None:
    """Logs from `warning` on instead of `info`, because `info` would repeat the command's result."""
    configure("warning" if level == "info" else level, format=format)
