"""The OpenAPI document, generated from the route table and the annotations of the handlers.

Only the introduction is written by hand. Summaries are docstrings, schemas are the request and response
models, and the access level of a route describes its callers. `openapi_events` describes the events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from connector import __version__
from connector.errors import ConnectorError

from .access import Access
from .docs_page import render_docs_page
from .error_schemas import ErrorResponse, EventsGoneResponse, TikTokErrorResponse
from .openapi_events import EVENT_DATA_MODELS, describe_events
from .route import Model, Route, TypedHandler
from .session_cookie import SESSION_COOKIE

Json = dict[str, Any]

OPENAPI_DOCUMENT = web.AppKey("openapi_document", Json)
SCHEMA_REF = "#/components/schemas/{model}"
SECURITY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, a user's token (JWT) of a configured issuer, or a ticket.",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": f"Over https the name is __Host-{SESSION_COOKIE}.",
    },
}
ERROR_RESPONSES = (TikTokErrorResponse, EventsGoneResponse, ErrorResponse)
ACCESS_TEXT = {
    Access.PUBLIC: "Every caller, without credentials.",
    Access.SELECTION: "A user for themselves, a server for any user, or a selection ticket for its "
    "connection.",
    Access.USER: "A user for themselves, or a server for any user.",
    Access.SERVER: "A server, with an API key.",
}
INTRODUCTION = (
    "Connects TikTok accounts once, and keeps them connected. "
    "All errors have the same shape, and their code is one of: {codes}."
)


async def openapi_json(request: web.Request) -> web.Response:
    """Get this description, as OpenAPI."""
    return web.Response(
        body=to_json(request.app[OPENAPI_DOCUMENT]), content_type="application/json"
    )


async def docs_page(request: web.Request) -> web.Response:
    """Get this description, as a page."""
    return web.Response(
        text=render_docs_page(request.app[OPENAPI_DOCUMENT]), content_type="text/html"
    )


def build_document(routes: Sequence[Route]) -> Json:
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.canonical, {})[route.method.lower()] = _operation(route)
    codes = ", ".join(sorted(_error_codes(ConnectorError)))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The TikTok connector",
            "version": __version__,
            "description": INTRODUCTION.format(codes=codes),
        },
        "paths": paths,
        "webhooks": describe_events(),
        "components": {"schemas": _schemas(routes), "securitySchemes": SECURITY_SCHEMES},
    }


def _operation(route: Route) -> Json:
    handler, path = route.typed_handler, route.canonical
    summary, _, details = (route.handler.__doc__ or "").strip().partition("\n")
    scope = f"An API key needs the scope {route.scope}." if route.scope else ""
    path_parameters = [_path_parameter(name) for name in re.findall(r"{(\w+)}", path)]
    operation: Json = {
        "summary": summary,
        "description": " ".join(f"{details} {ACCESS_TEXT[route.access]} {scope}".split()),
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{path}").strip("_"),
        "security": _security(route),
        "parameters": path_parameters + _query_parameters(handler.query),
        "responses": _responses(handler),
    }
    if handler.body is not None:
        required = any(field.is_required() for field in handler.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": _content(handler.body)}
    return operation


def _security(route: Route) -> list[Json]:
    if route.access is Access.PUBLIC:
        return []
    refused = "session" if route.scope == "tokens" else None
    return [{scheme: []} for scheme in SECURITY_SCHEMES if scheme != refused]


def _responses(handler: TypedHandler) -> Json:
    success: Json = {"description": "Success."}
    if handler.response is not None:
        success["content"] = _content(handler.response)
    failure = {
        "description": "An error; `code` names the error.",
        "content": {
            "application/json": {
                "schema": {"anyOf": [_ref(model) for model in ERROR_RESPONSES]},
            }
        },
    }
    status = str(handler.status) if handler.response else "default"
    return {status: success, "4XX": failure, "5XX": failure}


def _content(model: Model) -> Json:
    return {"application/json": {"schema": _ref(model)}}


def _ref(model: Model) -> Json:
    return {"$ref": SCHEMA_REF.format(model=model.__name__)}


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(model: Model | None) -> list[Json]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=SCHEMA_REF)
    required = schema.get("required", ())
    return [
        _query_parameter(name, field, required=name in required)
        for name, field in schema["properties"].items()
    ]


def _query_parameter(name: str, field: Json, *, required: bool) -> Json:
    parameter = {"name": name, "in": "query", "required": required, "schema": _query_schema(field)}
    if "description" in field:
        parameter["description"] = field["description"]
    return parameter


def _query_schema(field: Json) -> Json:
    """Removes null, because a query cannot contain null: an optional parameter is omitted."""
    others = ("title", "default", "description")
    schema = {name: value for name, value in field.items() if name not in others}
    choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
    return schema | (choices[0] if choices else {})


def _schemas(routes: Sequence[Route]) -> Json:
    requests = {route.typed_handler.body for route in routes if route.typed_handler.body}
    responses = {route.typed_handler.response for route in routes if route.typed_handler.response}
    responses |= {*ERROR_RESPONSES, *EVENT_DATA_MODELS.values()}
    models = [(model, "validation") for model in requests]
    models += [(model, "serialization") for model in responses]
    models.sort(key=lambda entry: entry[0].__name__)
    _, schema = models_json_schema(models, ref_template=SCHEMA_REF)  # type: ignore[arg-type]  # a Literal lost in a list
    definitions: Json = schema["$defs"]
    return definitions


def _error_codes(error_class: type[ConnectorError]) -> set[str]:
    subclasses = error_class.__subclasses__()
    return {error_class.code}.union(*map(_error_codes, subclasses))
