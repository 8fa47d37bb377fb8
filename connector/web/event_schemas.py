"""Request and response models of events, and the models of an event's data for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from connector.model import UtcDatetime

from .schemas import WITHOUT_NUL, NamedItem, RequestModel, ResponseModel, ShortText


class EventListQuery(RequestModel, extra="forbid"):
    """Refuses unknown parameters: a filter with a typing error would list every event."""

    after: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**53,
            description="Only events with a higher seq. Default: all events that are kept.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    types: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=WITHOUT_NUL)]
        | None,
        Field(
            description="Types of events, or prefixes such as connection.*, separated by commas."
        ),
    ] = None
    connection_id: ShortText | None = None
    wait: Annotated[
        int,
        Field(ge=0, le=30, description="For how many seconds to wait if there is no event."),
    ] = 0


class EventResponse(ResponseModel):
    id: str
    seq: Annotated[int, Field(description="The number of the event. It rises with each event.")]
    type: str
    timestamp: Annotated[UtcDatetime, Field(description="The time of the event.")]
    data: Annotated[dict[str, Any], Field(description="Its fields depend on the type.")]


class EventList(ResponseModel):
    events: list[EventResponse]
    next: Annotated[int, Field(description="The value of after for the next request.")]


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
    code: Annotated[str, Field(description="An error code, or authorization_removed.")]
    message: Annotated[str, Field(description="A sentence for people.")]


class ConnectionEventData(ResponseModel):
    connection: EventConnection
    reason: Annotated[
        EventReason | None,
        Field(description="Why the connection is refresh_failing or reconnect_required."),
    ]


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
    app: Annotated[str, Field(description="The client key or app id of the app at TikTok.")]
    event: Annotated[str, Field(description="TikTok's name of the event.")]
    tiktok_user_id: str | None
    created_at: UtcDatetime | None
    content: Annotated[
        dict[str, Any] | None,
        Field(description="As TikTok sent it. Null if TikTok sent more than 16 KiB."),
    ]


class TikTokEventData(ResponseModel):
    webhook: TikTokWebhook
