"""Request and response models of events, and the models of an event's data for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from connector.model import UtcDatetime

from .schemas import WITHOUT_NUL, NamedItem, RequestModel, ResponseModel, ShortText


class EventListQuery(RequestModel, extra="forbid"):
    """Refuses unknown parameters: a filter with a typing error would list every event."""

    after: Annotated[int, Field(ge=0, le=2**53)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    types: (
        Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=WITHOUT_NUL)] | None
    ) = None
    connection_id: ShortText | None = None
    wait: Annotated[int, Field(ge=0, le=30)] = 0


class EventResponse(ResponseModel):
    id: str
    seq: int
    type: str
    timestamp: UtcDatetime
    data: dict[str, Any]


class EventList(ResponseModel):
    events: list[EventResponse]
    next: int


class EventConnection(ResponseModel):
    id: str
    user_id: str
    family: str
    tiktok_user_id: str
    status: str
    account: NamedItem | None
    advertiser: NamedItem | None
    advertiser_lost: bool


class EventReason(ResponseModel):
    code: str
    message: str


class ConnectionEventData(ResponseModel):
    connection: EventConnection
    reason: EventReason | None


class TestedEndpoint(ResponseModel):
    id: str
    url: str


class EndpointTestData(ResponseModel):
    endpoint: TestedEndpoint


class DisabledEndpoint(ResponseModel):
    id: str
    url: str
    reason: str


class EndpointDisabledData(ResponseModel):
    endpoint: DisabledEndpoint


class TikTokWebhook(ResponseModel):
    app: str
    event: str
    tiktok_user_id: str | None
    created_at: UtcDatetime | None
    content: Annotated[
        dict[str, Any] | None,
        Field(description="As TikTok sent it. Null if TikTok sent more than 16 KiB."),
    ]


class TikTokEventData(ResponseModel):
    webhook: TikTokWebhook
