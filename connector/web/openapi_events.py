"""The section `webhooks` of the OpenAPI document: the requests that endpoints receive, from the catalogue of events."""

from __future__ import annotations

from typing import Any

from connector.events import EVENT_TYPES, EventType

from .event_schemas import (
    ConnectionEventData,
    EndpointDisabledData,
    EndpointTestData,
    TikTokEventData,
)
from .schemas import ResponseModel

Json = dict[str, Any]

EVENT_DATA_MODELS: dict[str, type[ResponseModel]] = {
    "connection.": ConnectionEventData,
    "endpoint.disabled": EndpointDisabledData,
    "endpoint.test": EndpointTestData,
    "tiktok.": TikTokEventData,
}
"""The model of `data`, by the beginning of the type."""

HEADERS = {
    "webhook-id": "The id of the event. An event may arrive twice, and then has the same id.",
    "webhook-timestamp": "The time of this attempt, in Unix seconds.",
    "webhook-signature": "One or two signatures, separated by a space: v1, a comma, and the Base64 of HMAC-SHA256 "
    "with the secret over id.timestamp.body (Standard Webhooks).",
}
RESPONSES: Json = {
    "2XX": {"description": "Received."},
    "410": {"description": "Send nothing more: the endpoint is disabled."},
    "default": {
        "description": "Not received: the event is sent again, up to ten times in all within 76 hours."
    },
}


def describe_events() -> Json:
    return {event_type.name: {"post": _operation(event_type)} for event_type in EVENT_TYPES}


def data_model(type: str) -> type[ResponseModel]:
    return next(model for start, model in EVENT_DATA_MODELS.items() if type.startswith(start))


def _operation(event_type: EventType) -> Json:
    name = event_type.name
    return {
        "summary": event_type.description,
        "operationId": f"event_{name.replace('.', '_')}",
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
            }
            for header, description in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _body_schema(event_type),
                    "example": event_type.example_body,
                }
            },
        },
        "responses": RESPONSES,
    }


def _body_schema(event_type: EventType) -> Json:
    name = event_type.name
    is_tiktok = name.startswith("tiktok.")
    properties: Json = {
        "type": {"type": "string", "pattern": r"^tiktok\."} if is_tiktok else {"const": name},
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "The time of the event.",
        },
        "seq": {
            "type": "null" if event_type.example_body["seq"] is None else "integer",
            "description": "Rises with each event. Deliveries may arrive in another order.",
        },
        "data": {"$ref": f"#/components/schemas/{data_model(name).__name__}"},
    }
    return {"type": "object", "required": list(properties), "properties": properties}
