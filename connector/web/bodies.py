"""What comes in and what goes out, as pydantic models; the OpenAPI document is made of these.

What comes in ignores what it does not know, and bounds what it does. Ids are text: as a JSON number
one beyond 2^53 arrives as another.
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

from connector.model import Attempt, Failure, Status, Time, UserId, as_user_id

WITHOUT_NUL = r"^[^\x00]*$"


def _no_number(value: Any) -> Any:
    if isinstance(value, int | float):
        raise PydanticCustomError(
            "number", "must be text, in quotes: as a number it would lose digits beyond 2^53"
        )
    return value


Whose = Annotated[
    UserId,
    BeforeValidator(as_user_id),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=WITHOUT_NUL)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=WITHOUT_NUL)]
Code = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2048, pattern=WITHOUT_NUL),
]
State = Annotated[str, StringConstraints(min_length=1, max_length=8192, pattern=WITHOUT_NUL)]
AdvertiserId = Annotated[Word, BeforeValidator(_no_number, json_schema_input_type=Word)]


class Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Told(BaseModel):
    model_config = ConfigDict(frozen=True)


# What comes in.


class StartGiven(Given):
    family: Word | None = None
    redirect_uri: Address | None = None
    return_to: Address | None = None
    user_id: Whose | None = None


class CodeGiven(Given):
    """`auth_code` and `code` are two names for the same; TikTok's families differ in it."""

    auth_code: Code | None = None
    code: Code | None = None
    state: State


class ConnectionsWanted(Given):
    user_id: Whose | None = None
    family: Word | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Word | None = None


class AdvertisersWanted(Given):
    user_id: Whose | None = None
    connection_id: Word | None = None


class ChoiceGiven(Given):
    advertiser_id: AdvertiserId
    connection_id: Word | None = None
    user_id: Whose | None = None


class TokenWanted(Given):
    user_id: Whose
    family: Word = "marketing"


class PulseWanted(Given):
    user_id: Whose | None = None


class TicketGiven(Given):
    user_id: Whose
    return_to: Address | None = None


# What goes out.


class Named(Told):
    id: str
    name: str


class Started(Told):
    url: str
    state: str


class Exchanged(Told):
    success: Literal[True] = True
    connection_id: str
    business_id: str | None
    account_id: str | None
    advertisers: list[Named]
    selection_required: bool
    message: str
    family: str
    return_to: str | None = None
    ticket: str | None = None


class ExchangedWithToken(Exchanged):
    """Only where the operator switched CONNECTOR_RETURN_ACCESS_TOKEN on."""

    access_token: str


class ShownConnection(Told):
    id: str
    user_id: str
    family: str
    title: str
    status: Status
    advertiser: Named | None
    advertiser_lost: bool
    account: Named | None
    subject: str
    scopes: list[str]
    expires_at: Time | None
    refresh_expires_at: Time | None
    verified_at: Time | None
    next_check_at: Time | None
    failure: Failure | None
    connected_at: Time
    created_at: Time
    updated_at: Time


class ShownConnections(Told):
    connections: list[ShownConnection]
    next: str | None


class WholeConnection(ShownConnection):
    advertisers: list[Named]


class RefreshedConnection(WholeConnection):
    success: Literal[True] = True


class Disconnected(Told):
    success: Literal[True] = True
    connection_id: str
    status: Status
    message: str = "TikTok disconnected."


class Attempts(Told):
    attempts: list[Attempt]


class Selectable(Named):
    selected: bool


class Advertisers(Told):
    advertisers: list[Selectable]
    connection_id: str
    selected_lost: Named | None


class Chosen(Told):
    success: Literal[True] = True
    business_id: str
    account_id: str
    message: str
    connection_id: str


class WorkingToken(Told):
    access_token: str
    expires_at: Time | None
    scopes: list[str]
    family: str
    connection_id: str


class ShownFamily(Told):
    name: str
    title: str
    scopes: list[str]


class Families(Told):
    families: list[ShownFamily]


class Beat(Told):
    hour: Annotated[int, Field(ge=0, le=23)]
    what: str
    verdict: str
    times: int


class PulseTold(Told):
    since: Time
    until: Time
    hours: list[Beat]


class MintedTicket(Told):
    ticket: str
    url: str
    expires_at: Time


class SessionTold(Told):
    kind: Literal["server", "user", "picker"]
    user_id: str | None
    expires_at: Time | None
    demo: bool


class SessionEnded(Told):
    success: Literal[True] = True


class Health(Told):
    status: Literal["ok", "ready"]


class SaidTold(Told):
    code: int | str | None
    message: str
    request_id: str | None


class Refusal(Told):
    """Every error, on every road. `tiktok` is there only where TikTok said no."""

    success: Literal[False] = False
    error: str
    code: str
    retryable: bool
    request_id: str


class TikTokRefusal(Refusal):
    tiktok: SaidTold
