"""What TikTok tells us unasked: webhooks, their signature, and the notice inside.

The signature is checked over the raw bytes, before anything is parsed; the age is checked after it.
TikTok delivers at least once, for up to 72 hours, and does not say whether a repeat is signed anew:
five minutes are allowed and whoever acts on a notice does so idempotently.
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
from connector.model import Notice

from .envelope import json_object

HEADER = "TikTok-Signature"
TOLERANCE = timedelta(minutes=5)

_LONGEST_HEADER = 1024
_LATEST = 2**32


@dataclass(frozen=True)
class Signature:
    at: str
    """As it was written: these very digits were signed."""
    hexes: tuple[str, ...]


def read(
    body: bytes, *, signature: str | None, secrets: Iterable[SecretStr], now: datetime
) -> Notice:
    """`secrets` are those of all our apps: which of them is meant stands inside, unproven yet."""
    claimed = _signature(signature or "")
    if claimed is None or not _genuine(body, claimed, secrets):
        raise Unauthenticated("This notice does not bear TikTok's signature.")
    signed_at = datetime.fromtimestamp(int(claimed.at), UTC)
    if abs(now - signed_at) > TOLERANCE:
        raise Unauthenticated(
            "This notice was signed too long ago, or the clock here is wrong. Check the clock."
        )
    return _notice(body, signed_at)


def _signature(header: str) -> Signature | None:
    """`t=<unix>,s=<hex>`, in any order, with any spacing; more than one `s` while a secret changes."""
    if len(header) > _LONGEST_HEADER:
        return None
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value.strip() for name, _, value in pairs if name.strip().lower() == "t"]
    hexes = [value.strip().lower() for name, _, value in pairs if name.strip().lower() == "s"]
    if len(times) != 1 or not hexes:
        return None
    (at,) = times
    plain = at.isascii() and at.isdigit() and len(at) <= 10
    return Signature(at, tuple(hexes)) if plain else None


def _genuine(body: bytes, claimed: Signature, secrets: Iterable[SecretStr]) -> bool:
    message = claimed.at.encode() + b"." + body
    expected = [
        hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()
        for secret in secrets
        if secret.get_secret_value()
    ]
    # As bytes, because compare_digest refuses text beyond ASCII, which anybody may send.
    return any(
        hmac.compare_digest(ours.encode(), theirs.encode(errors="replace"))
        for ours in expected
        for theirs in claimed.hexes
    )


def _notice(body: bytes, signed_at: datetime) -> Notice:
    fields = json_object(body) or {}
    event, client = fields.get("event"), fields.get("client_key")
    if not isinstance(event, str) or not event:
        raise InvalidRequest("The notice names no event.")
    subject = fields.get("user_openid")  # Missing where an event is not about a person's grant.
    return Notice(
        event=event,
        at=_moment(fields.get("create_time")) or signed_at,
        client=str(client) if isinstance(client, str | int) else "",
        subject=subject if isinstance(subject, str) and subject else None,
        content=_content(fields),
    )


def _content(fields: Mapping[str, object]) -> dict[str, object]:
    """JSON inside JSON: `content` is a text to be parsed once more.

    https://developers.tiktok.com/doc/webhooks-events
    """
    content = fields.get("content")
    if isinstance(content, dict):
        return content
    return (json_object(content.encode()) if isinstance(content, str) else None) or {}


def _moment(seconds: object) -> datetime | None:
    if type(seconds) is int and 0 < seconds < _LATEST:
        return datetime.fromtimestamp(seconds, UTC)
    return None
