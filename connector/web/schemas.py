"""Request and response models; the OpenAPI document is generated from them.

A request model ignores unknown fields, unless it says otherwise, and limits the length of known ones. Ids are text, because a JSON
number beyond 2^53 loses digits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from connector.model import Attempt, ConnectionStatus, Failure, UserId, UtcDatetime, parse_user_id
from connector.service_warnings import WarningKind
from connector.tiktok import DEFAULT_FAMILY

WITHOUT_NUL = r"^[^\x00]*$"


def _reject_numbers(value: Any) -> Any:
    if isinstance(value, int | float):
        raise PydanticCustomError(
            "number", "must be text, in quotes: as a number it would lose digits beyond 2^53"
        )
    return value


UserIdField = Annotated[
    UserId,
    BeforeValidator(parse_user_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]*$"}),
]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=WITHOUT_NUL)]
SearchText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=WITHOUT_NUL),
]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=WITHOUT_NUL)]
Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2048, pattern=WITHOUT_NUL),
]
State = Annotated[str, StringConstraints(min_length=1, max_length=8192, pattern=WITHOUT_NUL)]
AdvertiserId = Annotated[
    ShortText, BeforeValidator(_reject_numbers, json_schema_input_type=ShortText)
]


class RequestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ResponseModel(BaseModel):
    model_config = ConfigDict(frozen=True)


# Requests.


class StartRequest(RequestModel):
    family: ShortText | None = None
    redirect_uri: Url | None = None
    return_to: Url | None = None
    user_id: UserIdField | None = None


class RestartRequest(RequestModel):
    state: State


class ExchangeRequestBody(RequestModel):
    """`auth_code` and `code` both name the authorization code: TikTok's families differ in the name."""

    auth_code: Code | None = None
    code: Code | None = None
    state: State


class StateRequest(RequestModel):
    state: State


class ConnectionListQuery(RequestModel):
    """Refuses unknown parameters: a filter with a typing error would list every connection."""

    model_config = ConfigDict(extra="forbid")

    user_id: UserIdField | None = None
    status: ConnectionStatus | None = None
    family: ShortText | None = None
    q: SearchText | None = None
    after: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AdvertiserListQuery(RequestModel):
    user_id: UserIdField | None = None
    connection_id: ShortText | None = None


class SelectAdvertiserRequest(RequestModel):
    advertiser_id: AdvertiserId
    connection_id: ShortText | None = None
    user_id: UserIdField | None = None


class UserTokenQuery(RequestModel):
    user_id: UserIdField
    family: ShortText = DEFAULT_FAMILY


class ActivityQuery(RequestModel):
    user_id: UserIdField | None = None


# Responses.


class NamedItem(ResponseModel):
    id: str
    name: str


class StartResponse(ResponseModel):
    url: str
    state: str


class StateDescription(ResponseModel):
    user_id: str
    family: str
    confirmation_required: bool
    """True if no cookie proves that this browser started the connection."""


class ExchangeResponse(ResponseModel):
    success: Literal[True] = True
    connection_id: str
    business_id: str | None
    account_id: str | None
    advertisers: list[NamedItem]
    selection_required: bool
    message: str
    family: str
    return_to: str | None = None
    ticket: str | None = None


class ExchangeWithTokenResponse(ExchangeResponse):
    """Returned only if CONNECTOR_RETURN_ACCESS_TOKEN is on."""

    access_token: str


class ConnectionSummary(ResponseModel):
    id: str
    user_id: str
    family: str
    family_title: str
    has_advertisers: bool
    status: ConnectionStatus
    is_active: bool
    is_ended: bool
    advertiser: NamedItem | None
    advertiser_lost: bool
    account: NamedItem | None
    """The profile or business account."""

    tiktok_user_id: str
    scopes: list[str]
    expires_at: UtcDatetime | None
    refresh_expires_at: UtcDatetime | None
    verified_at: UtcDatetime | None
    next_check_at: UtcDatetime | None  # While a refresh runs, the end of its lease.
    failure: Failure | None
    connected_at: UtcDatetime
    created_at: UtcDatetime
    updated_at: UtcDatetime


class ConnectionList(ResponseModel):
    connections: list[ConnectionSummary]
    next: str | None
    totals: dict[ConnectionStatus, int]


class ConnectionDetail(ConnectionSummary):
    advertisers: list[NamedItem]


class RefreshResponse(ConnectionDetail):
    success: Literal[True] = True


class DisconnectResponse(ResponseModel):
    success: Literal[True] = True
    connection_id: str
    status: ConnectionStatus
    message: str = "TikTok disconnected."


class AttemptList(ResponseModel):
    attempts: list[Attempt]


class SelectableAdvertiser(NamedItem):
    selected: bool


class AdvertiserList(ResponseModel):
    advertisers: list[SelectableAdvertiser]
    connection_id: str
    lost_advertiser: NamedItem | None


class SelectionResponse(ResponseModel):
    success: Literal[True] = True
    business_id: str
    account_id: str
    message: str
    connection_id: str


class AccessTokenResponse(ResponseModel):
    access_token: str
    expires_at: UtcDatetime | None
    scopes: list[str]
    family: str
    connection_id: str


class FamilyInfo(ResponseModel):
    name: str
    title: str
    scopes: list[str]
    has_advertisers: bool


class FamilyList(ResponseModel):
    families: list[FamilyInfo]


class ActivityCount(ResponseModel):
    hour: Annotated[int, Field(ge=0, le=23)]
    operation: str
    result: str
    count: int


class ActivityResponse(ResponseModel):
    since: UtcDatetime
    hours: list[ActivityCount]


class HealthResponse(ResponseModel):
    status: Literal["ok"]


class ReadinessWarning(ResponseModel):
    kind: WarningKind
    message: Annotated[str, Field(description="What is wrong, and how an operator repairs it.")]


class ReadinessResponse(ResponseModel):
    status: Literal["ready"]
    warnings: Annotated[
        list[ReadinessWarning],
        Field(description="What is wrong although the service works, at most 30 seconds old."),
    ]
