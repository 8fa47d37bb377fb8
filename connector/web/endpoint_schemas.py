"""Request and response models of endpoints and deliveries. A request refuses unknown fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from pydantic_core import PydanticCustomError

from connector.events import DEFAULT_PATTERNS
from connector.model import UtcDatetime
from connector.store import DeliveryState, EndpointState

from .schemas import WITHOUT_NUL, RequestModel, ResponseModel, Url


def _to_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "is too early or too late") from None


RequestTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
EndpointUrl = Annotated[
    Url, Field(description="An https address. Its host must have public addresses.")
]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=WITHOUT_NUL)]
Patterns = Annotated[
    tuple[Pattern, ...],
    Field(
        min_length=1,
        max_length=50,
        description="Types of events, or prefixes such as connection.*",
    ),
]
Description = Annotated[str, StringConstraints(max_length=200, pattern=WITHOUT_NUL)]


class CreateEndpointRequest(RequestModel, extra="forbid"):
    url: EndpointUrl
    events: Patterns = DEFAULT_PATTERNS
    description: Description = ""


class UpdateEndpointRequest(RequestModel, extra="forbid"):
    """A field that is missing or null stays unchanged."""

    url: EndpointUrl | None = None
    events: Patterns | None = None
    description: Description | None = None
    state: EndpointState | None = None


class RotateSecretRequest(RequestModel, extra="forbid"):
    grace_hours: Annotated[
        int,
        Field(
            ge=0,
            le=168,
            description="For how many hours each request is signed with the old secret too.",
        ),
    ] = 24


class ReplayRequest(RequestModel, extra="forbid"):
    since: Annotated[
        RequestTime, Field(description="Only events since this time, at most 30 days ago.")
    ]
    until: Annotated[RequestTime | None, Field(description="Only events before this time.")] = None
    events: Annotated[
        Patterns | None, Field(description="Default: the types of events of the endpoint.")
    ] = None
    again: Annotated[
        bool, Field(description="Also sends the events that were delivered already.")
    ] = False


class DeliveryListQuery(RequestModel, extra="forbid"):
    state: DeliveryState | None = None
    after: Annotated[
        int | None,
        Field(ge=0, le=2**53, description="The value of next in the page before."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class EndpointResponse(ResponseModel):
    id: str
    url: str
    events: list[str]
    description: str
    state: EndpointState
    disabled_reason: Annotated[str | None, Field(description="A sentence for people.")]
    from_settings: Annotated[
        bool,
        Field(
            description="True for the endpoint in CONNECTOR_WEBHOOK_URL, which only the settings can change."
        ),
    ]
    failing_since: Annotated[
        UtcDatetime | None,
        Field(description="The first failed attempt since the last successful one."),
    ]
    failures: Annotated[int, Field(description="Failed attempts since the last successful one.")]
    last_success_at: UtcDatetime | None
    created_at: UtcDatetime
    updated_at: UtcDatetime
    pending: Annotated[int, Field(description="Deliveries that are not finished.")]
    delivered_24h: Annotated[int, Field(description="Successful attempts of the last 24 hours.")]
    failed_24h: Annotated[int, Field(description="Failed attempts of the last 24 hours.")]


class EndpointWithSecretResponse(EndpointResponse):
    secret: Annotated[
        str,
        Field(
            description="The secret that verifies the signatures. No other response contains it."
        ),
    ]


class EndpointList(ResponseModel):
    endpoints: list[EndpointResponse]


class EndpointDeletedResponse(ResponseModel):
    success: Literal[True] = True


class DeliveryTestResponse(ResponseModel):
    delivered: bool
    status: Annotated[
        int | None, Field(description="The HTTP status. Null if there was no response.")
    ]
    error: Annotated[str | None, Field(description="Why the event was not delivered.")]
    duration_ms: int


class DeliveryResponse(ResponseModel):
    id: int
    event_id: str
    endpoint_id: str
    type: Annotated[str, Field(description="The type of the event.")]
    seq: Annotated[int, Field(description="The number of the event.")]
    state: Annotated[
        DeliveryState,
        Field(
            description="exhausted: all attempts have failed. dropped: the endpoint was disabled before."
        ),
    ]
    attempts: Annotated[int, Field(description="The number of attempts so far.")]
    last_status: Annotated[
        int | None,
        Field(description="The HTTP status of the last attempt. Null if there was no response."),
    ]
    last_error: Annotated[str | None, Field(description="Why the last attempt failed.")]
    last_at: Annotated[UtcDatetime | None, Field(description="When the last attempt ended.")]
    last_ms: Annotated[int | None, Field(description="How long the last attempt took.")]
    due_at: Annotated[
        UtcDatetime | None,
        Field(
            description="When the next attempt is due. While an attempt runs, when another process may repeat it."
        ),
    ]
    delivered_at: UtcDatetime | None


class DeliveryList(ResponseModel):
    deliveries: list[DeliveryResponse]
    next: Annotated[
        int | None,
        Field(description="The value of after for the next page. Null on the last page."),
    ]


class ReplayResponse(ResponseModel):
    count: Annotated[int, Field(description="The number of events that this call has queued.")]
    more: Annotated[
        bool, Field(description="True if events are left: one call queues at most 10,000 events.")
    ]
    next_since: Annotated[
        UtcDatetime | None,
        Field(description="If there are more events: the value of since for the next call."),
    ]
