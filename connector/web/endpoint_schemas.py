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
        Field(ge=0, le=168, description="How long each request is signed with the old secret too."),
    ] = 24


class ReplayRequest(RequestModel, extra="forbid"):
    since: Annotated[RequestTime, Field(description="At most 30 days ago.")]
    until: RequestTime | None = None
    events: Patterns | None = None
    again: Annotated[
        bool, Field(description="Sends the events that were delivered already, too.")
    ] = False


class DeliveryListQuery(RequestModel, extra="forbid"):
    state: DeliveryState | None = None
    after: Annotated[int, Field(ge=0, le=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class EndpointResponse(ResponseModel):
    id: str
    url: str
    events: list[str]
    description: str
    state: EndpointState
    disabled_reason: str | None
    from_settings: Annotated[
        bool,
        Field(description="CONNECTOR_WEBHOOK_URL sets this endpoint, and only it changes the url."),
    ]
    failing_since: UtcDatetime | None
    failures: Annotated[int, Field(description="Failed attempts since the last successful one.")]
    last_success_at: UtcDatetime | None
    created_at: UtcDatetime
    updated_at: UtcDatetime
    pending: int
    delivered_24h: int
    failed_24h: int


class EndpointWithSecretResponse(EndpointResponse):
    secret: Annotated[
        str, Field(description="Verifies the signatures. It is returned only this once.")
    ]


class EndpointList(ResponseModel):
    endpoints: list[EndpointResponse]


class EndpointDeletedResponse(ResponseModel):
    success: Literal[True] = True


class DeliveryTestResponse(ResponseModel):
    delivered: bool
    status: int | None
    error: str | None
    duration_ms: int


class DeliveryResponse(ResponseModel):
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


class DeliveryList(ResponseModel):
    deliveries: list[DeliveryResponse]
    next: int | None


class ReplayResponse(ResponseModel):
    count: int
    more: Annotated[bool, Field(description="One call replays at most 10,000 events.")]
    next_since: Annotated[
        UtcDatetime | None,
        Field(description="If there are more events: the value of since for the next call."),
    ]
