"""Request and response models of tickets and sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from connector.model import KeyScope, UtcDatetime, parse_display_name

from .schemas import RequestModel, ResponseModel, Url, UserIdField

DisplayName = Annotated[
    str,
    BeforeValidator(parse_display_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100}),
]


class CreateTicketRequest(RequestModel):
    user_id: UserIdField
    display_name: Annotated[
        DisplayName | None,
        Field(
            description="What the pages call the user, beside the user id: a name or an e-mail address "
            "by which people recognize the user."
        ),
    ] = None
    return_to: Url | None = None


class TicketResponse(ResponseModel):
    ticket: str
    url: str
    expires_at: UtcDatetime


class SessionOwner(ResponseModel):
    kind: Literal["server", "user", "selection"]
    user_id: str | None
    display_name: Annotated[
        str | None, Field(description="The name that was sent when the ticket was created.")
    ]


class SessionResponse(SessionOwner):
    expires_at: UtcDatetime | None
    demo: bool
    scopes: Annotated[
        list[KeyScope] | None,
        Field(description="What the API key of a server may do. Null for a user."),
    ]
    signed_in_as: Annotated[
        SessionOwner | None,
        Field(
            description="Whose session the cookie of the browser is, if the request also has credentials "
            "in a header. A page asks the person before it replaces the session by another user's."
        ),
    ] = None


class SessionEndedResponse(ResponseModel):
    success: Literal[True] = True
