"""Every type of event, with a description and an example: the source of the documentation.

An endpoint and a reader name the events that they want with patterns: an exact type, or a dotted prefix with `*`
at its end, such as `connection.*`. Types of `tiktok.` cannot be listed, because TikTok adds new ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import InvalidRequest
from connector.store import JsonObject

MAX_PATTERNS = 50
DEFAULT_PATTERNS = ("connection.*",)
TIKTOK_TYPE = re.compile(r"tiktok\.[a-z0-9_.]{1,100}")
TIKTOK_EXAMPLE_TYPE = "tiktok.authorization.removed"
TEST_TYPE = "endpoint.test"
EXAMPLE_TIME = "2026-11-21T14:47:30.018846Z"
EXAMPLE_SEQ = 4711

_CONNECTION: JsonObject = {
    "id": "0b0e3d0c-3a3c-4b6f-9a57-3d2f4f3b7f10",
    "user_id": "9d3c1f4e-5a77-4c0e-8f0b-2f6d0c1b7a11",
    "family": "marketing",
    "tiktok_user_id": "7001",
    "status": "active",
    "account": {"id": "7001", "name": "Acme"},
    "advertiser": {"id": "7200000000000000001", "name": "Acme EU"},
    "advertiser_lost": False,
}
_ENDPOINT: JsonObject = {
    "id": "5f0d8f0a-6f5e-4d0b-9d8e-7f2b1c3a4d52",
    "url": "https://app.example.com/hooks/tiktok",
}


@dataclass(frozen=True)
class EventType:
    name: str
    description: str
    example: JsonObject
    """An example of `data`."""

    @property
    def example_body(self) -> JsonObject:
        """An example of the body of a request to an endpoint."""
        return {
            "type": self.name,
            "timestamp": EXAMPLE_TIME,
            "seq": None if self.name == TEST_TYPE else EXAMPLE_SEQ,
            "data": self.example,
        }


def _connection_event(
    action: str,
    description: str,
    *,
    reason: tuple[str, str] | None = None,
    **changes: object,
) -> EventType:
    example: JsonObject = {
        "connection": _CONNECTION | changes,
        "reason": dict(zip(("code", "message"), reason, strict=True)) if reason else None,
    }
    return EventType(f"connection.{action}", description, example)


EVENT_TYPES: tuple[EventType, ...] = (
    _connection_event("connected", "A person has connected an account."),
    _connection_event("reconnected", "A person has connected an account again."),
    _connection_event(
        "failing",
        "A refresh or a check has failed. The service tries again, and the old token is used while it is valid.",
        status="refresh_failing",
        reason=("tiktok_unreachable", "TikTok does not answer."),
    ),
    _connection_event("recovered", "The tokens of a connection that was failing work again."),
    _connection_event(
        "reconnect_required",
        "TikTok has ended the connection: the person must connect again.",
        status="reconnect_required",
        reason=("authorization_removed", "The person disconnected the app in TikTok."),
    ),
    _connection_event(
        "disconnected", "The connection was disconnected in this service.", status="revoked"
    ),
    _connection_event("advertiser_selected", "An ad account was selected."),
    _connection_event(
        "advertiser_lost",
        "The selected ad account is not among the granted ad accounts any more.",
        advertiser_lost=True,
    ),
    _connection_event(
        "expiring",
        "The connection ends within 14 days, unless the person connects again. Sent once.",
    ),
    EventType(
        "endpoint.disabled",
        "Another endpoint was disabled: it responded with 410, or every attempt has failed for 5 days.",
        {"endpoint": _ENDPOINT | {"reason": "No delivery has succeeded since 2026-11-16."}},
    ),
    EventType(
        TEST_TYPE,
        "Sent on request only, to one endpoint. Its seq is null, and it is not stored.",
        {"endpoint": _ENDPOINT},
    ),
    EventType(
        TIKTOK_EXAMPLE_TYPE,
        "TikTok has sent a webhook. The type is tiktok. followed by TikTok's name of the event. It is sent only to "
        "endpoints that ask for it. The content is as TikTok sent it, or null if TikTok sent more than 16 KiB.",
        {
            "webhook": {
                "app": "7001234567890",
                "event": "authorization.removed",
                "tiktok_user_id": "7001",
                "created_at": "2026-11-21T14:47:29.000000+00:00",
                "content": {"reason": 1},
            }
        },
    ),
)

_NAMES = frozenset(event_type.name for event_type in EVENT_TYPES)
_LATER_PREFIXES = ("selection.", "publication.")
"""No event has these types yet, but an endpoint may ask for them already."""

_PREFIXES = frozenset({f"{name.partition('.')[0]}." for name in _NAMES}.union(_LATER_PREFIXES))


def parse_patterns(patterns: Sequence[str], *, field: str) -> tuple[str, ...]:
    """Removes duplicates. Raises an error that names the first unknown pattern."""
    if not 1 <= len(patterns) <= MAX_PATTERNS:
        raise InvalidRequest(f"{field} must have 1 to {MAX_PATTERNS} entries.")
    for pattern in patterns:
        if not _is_known(pattern):
            raise InvalidRequest(
                f"{field} contains {_shown(pattern)}, which is not a type of event. Write a type, or a prefix "
                "such as connection.*."
            )
    return tuple(dict.fromkeys(patterns))


def _is_known(pattern: str) -> bool:
    if not pattern.endswith(".*"):
        return pattern in _NAMES or bool(TIKTOK_TYPE.fullmatch(pattern))
    prefix = pattern[:-1]
    return prefix in _PREFIXES or bool(TIKTOK_TYPE.fullmatch(prefix))


def _shown(pattern: str) -> str:
    """A text that cannot be a misspelt type is not repeated: it may be a value that belongs elsewhere."""
    return pattern if re.fullmatch(r"[a-z_.*]{1,60}", pattern) else "a text"
