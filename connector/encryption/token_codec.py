"""Converts tokens to JSON text and back. The text is never stored unencrypted."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pydantic import SecretStr

from connector.model import Tokens

COMPACT_JSON = json.JSONEncoder(separators=(",", ":"))


def dump_tokens(tokens: Tokens) -> str:
    return COMPACT_JSON.encode(
        {
            "access": tokens.access.get_secret_value(),
            "refresh": tokens.refresh.get_secret_value() if tokens.refresh else None,
            "expires": tokens.expires_at and tokens.expires_at.timestamp(),
            "refresh_expires": tokens.refresh_expires_at and tokens.refresh_expires_at.timestamp(),
            "issued": tokens.issued_at and tokens.issued_at.timestamp(),
        },
    )


def load_tokens(text: str) -> Tokens:
    fields = json.loads(text)
    return Tokens(
        access=SecretStr(fields["access"]),
        refresh=SecretStr(fields["refresh"]) if fields["refresh"] else None,
        expires_at=_parse_time(fields["expires"]),
        refresh_expires_at=_parse_time(fields["refresh_expires"]),
        issued_at=_parse_time(fields["issued"]),
    )


def _parse_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
