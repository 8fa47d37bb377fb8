"""The log, on standard error: one line for each thing that happened, as text or as JSON.

Only our own loggers speak below a warning. Other people's would name addresses at those levels, and
the addresses we call have secrets in them.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


class Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)-7s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return f"{_at(record)} {super().format(record)}"


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class ToStderr(logging.StreamHandler[TextIO]):
    """Wherever standard error is at the moment: a progress bar takes it over while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str, *, format: str = "text") -> None:
    handler = ToStderr()
    handler.setFormatter(Json() if format == "json" else Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("connector").setLevel(level.upper())


def configure_quietly(level: str, *, format: str = "text") -> None:
    """For commands whose result is the news: what they changed goes without saying."""
    configure("warning" if level == "info" else level, format=format)
