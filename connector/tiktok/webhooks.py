"""Verifies TikTok's webhooks and parses the event in them.

The signature is verified over the raw bytes, with the secret of the app that the body names, then its age
is checked. TikTok delivers at least once, for up to 72 hours, and does not document whether a repetition
is signed anew. So a signature may be 73 hours old, and the digest, by which repetitions are recognized,
does not include the header. https://developers.tiktok.com/doc/webhooks-verification

A signed body that is not JSON or has no event is not an error, because TikTok would repeat it for three days.
Accounts' ids in `content` may be integers beyond 2^53, which keep their digits here.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from connector.errors import Unauthenticated

from .responses import parse_id, parse_json_object

SIGNATURE_HEADER = "TikTok-Signature"
MAX_SIGNATURE_AGE = timedelta(hours=73)
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)

REMOVED_EVENT = "authorization.removed"
WEBHOOK_EVENTS = frozenset(
    {
        REMOVED_EVENT,
        "video.upload.failed",
        "video.publish.completed",
        "portability.download.ready",
        "post.publish.failed",
        "post.publish.complete",
        "post.publish.inbox_delivered",
        "post.publish.publicly_available",
        "post.publish.no_longer_publicaly_available",  # TikTok's spelling for login_kit.
        "post.publish.no_longer_publicly_available",
        "comment.update",
        "brand.mention.event",
        "im_receive_msg",
        "im_receive_msg_eu",
        "im_send_msg",
    }
)
"""The documented events. TikTok may send others.
https://developers.tiktok.com/doc/webhooks-events"""

_REMOVAL_MESSAGES: Mapping[int | None, str] = {
    1: "The person disconnected the app in TikTok.",
    2: "The TikTok account was deleted.",
    3: "The account's age was changed.",
    4: "The account was banned.",
    5: "The app revoked the access.",
}
_OTHER_REMOVAL = "TikTok withdrew the access."
_EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_HEADER_LENGTH = 1024
_MAX_TIMESTAMP = 2**32
_MAX_CONTENT_DEPTH = 32
"""Databases and JSON libraries limit the depth too, the strictest to 255 levels."""


class WrongSignatureAge(Unauthenticated):
    """The signature is TikTok's, but its time is too far from the time of this service."""


@dataclass(frozen=True)
class Webhook:
    """A webhook whose signature and age were verified. Without a readable event, only `digest` and `app` are set."""

    digest: str
    """The same for every delivery of the same webhook."""

    app: str
    """The client key, or the app id, of the app that TikTok sent the webhook to."""

    event: str = ""
    created_at: datetime | None = None
    tiktok_user_id: str | None = None
    content: dict[str, object] = field(default_factory=dict)

    @property
    def is_unreadable(self) -> bool:
        return not self.event

    @property
    def reason(self) -> int | None:
        """Why an authorization was removed, as a number. Other events have other kinds of reasons."""
        reason = self.content.get("reason")
        if isinstance(reason, str) and reason.isascii() and reason.isdigit() and len(reason) < 4:
            reason = int(reason)
        if self.event != REMOVED_EVENT or type(reason) is not int:
            return None
        return reason if 0 <= reason < 1000 else None

    @property
    def message(self) -> str:
        """What happened to the authorization, as a sentence; empty for other events."""
        if self.event != REMOVED_EVENT:
            return ""
        return _REMOVAL_MESSAGES.get(self.reason, _OTHER_REMOVAL)


@dataclass(frozen=True)
class _Signature:
    timestamp: str
    """The received text, because TikTok signed this text."""
    signatures: tuple[str, ...]


def verify_webhook(
    body: bytes, *, signature: str | None, secrets: Mapping[str, SecretStr], now: datetime
) -> Webhook:
    """`secrets` are those of the configured apps, by the client key or app id."""
    header = _parse_signature(signature or "")
    fields = parse_json_object(body) or {}
    app = None if header is None else _find_signing_app(body, header, secrets, fields)
    if header is None or app is None:
        raise Unauthenticated("This webhook does not have TikTok's signature.")
    signed_at = datetime.fromtimestamp(int(header.timestamp), UTC)
    if not -MAX_CLOCK_DIFFERENCE <= now - signed_at <= MAX_SIGNATURE_AGE:
        raise WrongSignatureAge(
            "This webhook was signed too long ago, or this service's clock is wrong. Check the clock."
        )
    return _parse_webhook(fields, app=app, digest=hashlib.sha256(app.encode() + body).hexdigest())


def _parse_signature(header: str) -> _Signature | None:
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
    return _Signature(timestamp, tuple(signatures))


def _find_signing_app(
    body: bytes,
    header: _Signature,
    secrets: Mapping[str, SecretStr],
    fields: Mapping[str, object],
) -> str | None:
    """Tries the secret of the app that the body names, or every secret if the body names none."""
    named_app = parse_id(fields.get("client_key"))
    message = header.timestamp.encode() + b"." + body
    for app, secret in secrets.items():
        key = secret.get_secret_value().encode()
        if key and named_app in (None, app) and _signature_matches(message, header, key):
            return app
    return None


def _signature_matches(message: bytes, header: _Signature, key: bytes) -> bool:
    expected = hmac.new(key, message, hashlib.sha256).hexdigest().encode()
    # Compared as bytes, because compare_digest refuses non-ASCII text, which any client may send.
    return any(
        hmac.compare_digest(expected, received.encode(errors="replace"))
        for received in header.signatures
    )


def _parse_webhook(fields: Mapping[str, object], *, app: str, digest: str) -> Webhook:
    event = fields.get("event")
    if not isinstance(event, str) or not _EVENT_NAME.fullmatch(event):
        return Webhook(digest=digest, app=app)
    return Webhook(
        digest=digest,
        app=app,
        event=event,
        created_at=_parse_timestamp(fields.get("create_time")),
        # Missing in an event that does not concern one person's grant.
        tiktok_user_id=parse_id(fields.get("user_openid")),
        content=_parse_content(fields.get("content")),
    )


def _parse_content(content: object) -> dict[str, object]:
    """TikTok sends a string that contains JSON. https://developers.tiktok.com/doc/webhooks-events"""
    if isinstance(content, str):
        content = parse_json_object(content.encode())
    return content if isinstance(content, dict) and _is_storable(content) else {}


def _is_storable(value: object, *, depth: int = _MAX_CONTENT_DEPTH) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, dict | list) or not value:
        return True
    children = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_storable(child, depth=depth - 1) for child in children)


def _parse_timestamp(seconds: object) -> datetime | None:
    if type(seconds) is int and 0 < seconds < _MAX_TIMESTAMP:
        return datetime.fromtimestamp(seconds, UTC)
    return None
