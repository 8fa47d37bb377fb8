"""Verifies TikTok's webhooks and parses the event in them.

The signature is verified over the raw bytes before anything is parsed, then its age is checked.
TikTok delivers at least once, for up to 72 hours, and does not document whether a retry is signed
anew: the age may be five minutes, and handling an event must be idempotent.
https://developers.tiktok.com/doc/webhooks-verification
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from connector.errors import InvalidRequest, Unauthenticated
from connector.model import WebhookEvent

from .responses import parse_json_object

SIGNATURE_HEADER = "TikTok-Signature"
MAX_SIGNATURE_AGE = timedelta(minutes=5)

_MAX_HEADER_LENGTH = 1024
_MAX_TIMESTAMP = 2**32


@dataclass(frozen=True)
class Signature:
    timestamp: str
    """The received text, because TikTok signed this text."""
    signatures: tuple[str, ...]


def verify_and_parse(
    body: bytes, *, signature: str | None, secrets: Iterable[SecretStr], now: datetime
) -> WebhookEvent:
    """`secrets` are those of all configured apps: only the unverified body names the app."""
    header = _parse_signature(signature or "")
    if header is None or not _signature_matches(body, header, secrets):
        raise Unauthenticated("This webhook does not have TikTok's signature.")
    signed_at = datetime.fromtimestamp(int(header.timestamp), UTC)
    if abs(now - signed_at) > MAX_SIGNATURE_AGE:
        raise Unauthenticated(
            "This webhook was signed too long ago, or this service's clock is wrong. Check the clock."
        )
    return _parse_event(body, signed_at)


def _parse_signature(header: str) -> Signature | None:
    """Parses `t=<unix>,s=<hex>` in any order and spacing; several `s` while a secret is replaced."""
    if len(header) > _MAX_HEADER_LENGTH:
        return None
    pairs = [part.strip().partition("=") for part in header.split(",")]
    timestamps = [value.strip() for name, _, value in pairs if name.strip().lower() == "t"]
    signatures = [value.strip().lower() for name, _, value in pairs if name.strip().lower() == "s"]
    if len(timestamps) != 1 or not signatures:
        return None
    (timestamp,) = timestamps
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10):
        return None
    return Signature(timestamp, tuple(signatures))


def _signature_matches(body: bytes, header: Signature, secrets: Iterable[SecretStr]) -> bool:
    message = header.timestamp.encode() + b"." + body
    expected_signatures = [
        hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()
        for secret in secrets
        if secret.get_secret_value()
    ]
    # Compared as bytes, because compare_digest refuses non-ASCII text, which any client may send.
    return any(
        hmac.compare_digest(expected.encode(), received.encode(errors="replace"))
        for expected in expected_signatures
        for received in header.signatures
    )


def _parse_event(body: bytes, signed_at: datetime) -> WebhookEvent:
    fields = parse_json_object(body) or {}
    event, app_id = fields.get("event"), fields.get("client_key")
    if not isinstance(event, str) or not event:
        raise InvalidRequest("The webhook names no event.")
    # Missing in an event that does not concern one person's grant.
    user_id = fields.get("user_openid")
    return WebhookEvent(
        event=event,
        at=_parse_timestamp(fields.get("create_time")) or signed_at,
        app_id=str(app_id) if isinstance(app_id, str | int) else "",
        tiktok_user_id=user_id if isinstance(user_id, str) and user_id else None,
        content=_parse_content(fields),
    )


def _parse_content(fields: Mapping[str, object]) -> dict[str, object]:
    """TikTok sends a string that contains JSON. https://developers.tiktok.com/doc/webhooks-events"""
    content = fields.get("content")
    if isinstance(content, dict):
        return content
    return (parse_json_object(content.encode()) if isinstance(content, str) else None) or {}


def _parse_timestamp(seconds: object) -> datetime | None:
    if type(seconds) is int and 0 < seconds < _MAX_TIMESTAMP:
        return datetime.fromtimestamp(seconds, UTC)
    return None
