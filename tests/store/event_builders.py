"""Test data for events, deliveries, endpoints and webhooks, and calls of their operations with default arguments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from connector.model import Ciphertext
from connector.store import (
    DeliveryResult,
    EndpointRow,
    EventRow,
    LeasedDelivery,
    ReplayResult,
    Store,
    WebhookOutcome,
)
from tests.manual_clock import NOON

from .builders import DAY, OWNER
from .conftest import DatabaseUnderTest

LEASE_SECONDS = 30.0
FIVE_DAYS = (5 * DAY).total_seconds()
MANY = 1000
BY_REQUEST = "Disabled by request."
GONE = "The endpoint responded with 410 (Gone)."
EVERYTHING = ("connection.*", "endpoint.*", "tiktok.*")


async def save_endpoint(
    store: Store,
    *,
    id: str | None = None,
    url: str = "https://customer.example/events",
    events: Sequence[str] = EVERYTHING,
    description: str = "",
    encrypted_secrets: str = "secrets",
    now: datetime | None = NOON,
) -> str:
    id = id or str(uuid4())
    await store.save_endpoint(
        id,
        url=url,
        events=events,
        description=description,
        encrypted_secrets=Ciphertext(encrypted_secrets),
        now=now,
    )
    return id


async def get_endpoint(store: Store, id: str, *, now: datetime | None = NOON) -> EndpointRow:
    endpoint = await store.get_endpoint(id, now=now)
    assert endpoint is not None
    return endpoint


async def receive(
    store: Store,
    digest: str | None = None,
    *,
    app: str = "app-1",
    families: Sequence[str] = ("marketing",),
    tiktok_user_id: str | None = "tiktok-user",
    event: str = "authorization.removed",
    reason: int | None = None,
    message: str = "The person disconnected the app in TikTok.",
    created_at: datetime | None = NOON,
    now: datetime | None = NOON,
    **fields: Any,
) -> WebhookOutcome:
    result = await store.receive_webhook(
        digest=digest or uuid4().hex,
        app=app,
        families=families,
        tiktok_user_id=tiktok_user_id,
        event=event,
        reason=reason,
        message=message,
        created_at=created_at,
        now=now,
        **{"content": {"event": event}} | fields,
    )
    return result.outcome


async def write_events(store: Store, count: int = 1, *, now: datetime | None = NOON) -> None:
    """Writes events `tiktok.<number>`, which belong to no connection."""
    for number in range(count):
        await receive(store, event=f"{number}", tiktok_user_id=None, now=now)


async def number_all(store: Store, *, now: datetime | None = NOON) -> int:
    """Returns the last number."""
    while True:
        result = await store.number_events(now=now)
        if not result.more_left:
            return result.last_seq


async def listed(store: Store, **filters: Any) -> list[EventRow]:
    bounds = await store.get_event_bounds()
    defaults = {"after": bounds.oldest - 1, "until": bounds.last, "max_rows": MANY}
    return await store.list_events(**defaults | filters)


async def lease_deliveries(
    store: Store,
    *,
    owner: str = OWNER,
    max_rows: int = MANY,
    max_per_endpoint: int = MANY,
    now: datetime | None = NOON,
) -> list[LeasedDelivery]:
    return await store.lease_due_deliveries(
        lease_owner=owner,
        max_rows=max_rows,
        max_per_endpoint=max_per_endpoint,
        lease_seconds=LEASE_SECONDS,
        now=now,
    )


def delivered(delivery: LeasedDelivery, **fields: Any) -> DeliveryResult:
    defaults = {"state": "delivered", "status": 200, "duration_ms": 20}
    return DeliveryResult(id=delivery.id, **defaults | fields)


def refused(delivery: LeasedDelivery, **fields: Any) -> DeliveryResult:
    """The attempt failed, and the next one is a minute later."""
    defaults = {
        "state": "pending",
        "delay_seconds": 60.0,
        "status": 500,
        "error": "The endpoint responded with 500.",
        "duration_ms": 30,
    }
    return DeliveryResult(id=delivery.id, **defaults | fields)


def exhausted(delivery: LeasedDelivery) -> DeliveryResult:
    return refused(delivery, state="exhausted", delay_seconds=None)


async def settle(
    store: Store,
    *results: DeliveryResult,
    owner: str = OWNER,
    now: datetime | None = NOON,
    **limits: int,
) -> list[str]:
    return await store.settle_deliveries(
        results, lease_owner=owner, disable_after_seconds=FIVE_DAYS, now=now, **limits
    )


async def deliver_all(store: Store, *, now: datetime | None = NOON) -> int:
    """Numbers events, and delivers everything that is due. Returns the number of deliveries."""
    await number_all(store, now=now)
    leased = await lease_deliveries(store, now=now)
    await settle(store, *map(delivered, leased), now=now)
    return len(leased)


async def replay(
    store: Store, endpoint_id: str, *, since: datetime = NOON - DAY, **fields: Any
) -> ReplayResult:
    defaults: dict[str, Any] = {"max_rows": MANY, "now": NOON}
    return await store.replay_deliveries(endpoint_id, since=since, **defaults | fields)


async def lease_new(store: Store, count: int = 1, *, now: datetime = NOON) -> list[LeasedDelivery]:
    """Writes events and leases the deliveries that are due."""
    await write_events(store, count, now=now)
    await number_all(store, now=now)
    return await lease_deliveries(store, now=now)


async def fail(store: Store, *, now: datetime = NOON) -> list[str]:
    """One new delivery of each endpoint fails, and is not repeated before the end of the test."""
    leased = await lease_new(store, now=now)
    far = (365 * DAY).total_seconds()
    results = [refused(delivery, delay_seconds=far) for delivery in leased]
    return await settle(store, *results, now=now)


def disabled_events(database: DatabaseUnderTest) -> list[object]:
    events = database.rows("events")
    return [event["data"] for event in events if event["type"] == "endpoint.disabled"]
