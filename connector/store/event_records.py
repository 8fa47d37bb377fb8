"""The records of events, deliveries, endpoints and webhooks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.model import Ciphertext, FrozenModel, UtcDatetime

from .records import JsonObject

MAX_DROPPED = 10_000
"""When an endpoint is disabled, so many of its pending deliveries are dropped at once, and the cleanup drops the others.
Dropping a million in one call would take longer than Supabase's statement timeout of 8 seconds."""

DeliveryState = Literal["pending", "delivered", "exhausted", "dropped"]
"""`exhausted`: all attempts failed. `dropped`: the endpoint was disabled."""

EndpointState = Literal["enabled", "disabled"]

WebhookOutcome = Literal["duplicate", "connection_ended", "check_scheduled", "stored", "unreadable"]


class NumberingResult(FrozenModel):
    numbered: int
    more_left: bool
    last_seq: int
    deliveries_due: bool


class EventBounds(FrozenModel):
    """The numbers of the oldest event that is kept, and of the newest. Without events, `oldest` is the next number."""

    oldest: int
    last: int


class EventRow(FrozenModel):
    id: str
    seq: int
    type: str
    connection_id: str | None
    user_id: str | None
    data: JsonObject
    created_at: UtcDatetime


class LeasedDelivery(FrozenModel):
    """A delivery that this process may send until its lease ends, with its event and its endpoint."""

    id: int
    event_id: str
    endpoint_id: str
    attempts: int
    url: str
    encrypted_secrets: Ciphertext = Field(repr=False)
    seq: int
    type: str
    created_at: UtcDatetime
    data_json: str
    """The text of the data, which is sent as it is."""


class DeliveryResult(FrozenModel):
    """The result of one attempt. `delay_seconds` is the time to the next attempt of a pending delivery."""

    id: int
    state: Literal["pending", "delivered", "exhausted"]
    delay_seconds: float | None = None
    status: int | None = None
    error: str | None = None
    duration_ms: int
    endpoint_gone: bool = False
    """The endpoint has responded with 410: nothing more is sent to it."""


class DeliveryRow(FrozenModel):
    id: int
    event_id: str
    endpoint_id: str
    type: str
    seq: int
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    last_at: UtcDatetime | None
    last_ms: int | None
    due_at: UtcDatetime | None
    delivered_at: UtcDatetime | None


class EndpointRow(FrozenModel):
    id: str
    url: str
    events: tuple[str, ...]
    description: str
    encrypted_secrets: Ciphertext = Field(repr=False)
    state: EndpointState
    disabled_reason: str | None
    failing_since: UtcDatetime | None
    failures: int
    """Failed attempts since the last successful one."""

    last_success_at: UtcDatetime | None
    created_at: UtcDatetime
    updated_at: UtcDatetime
    pending: int
    delivered_24h: int
    failed_24h: int
    """Successful and failed attempts of the last 24 hours."""


class ReplayResult(FrozenModel):
    count: int
    more: bool
    last_created_at: UtcDatetime | None
    """The time of the newest event that was queued."""


class WebhookRow(FrozenModel):
    digest: str
    app: str
    tiktok_user_id: str | None
    event: str
    content: JsonObject
    outcome: WebhookOutcome
    created_at: UtcDatetime | None
    received_at: UtcDatetime


class WebhookApp(FrozenModel):
    app: str
    last_webhook_at: UtcDatetime


class WebhookResult(FrozenModel):
    outcome: WebhookOutcome
