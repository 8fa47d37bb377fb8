"""What stands at which address, told to programs and to people, from the handlers' own annotations.

Nothing is described by hand but the outline: summaries are docstrings, shapes are the models, and who
may ask is read from the gate's lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from connector import __version__
from connector.errors import ConnectorError

from . import access
from .bodies import Refusal, TikTokRefusal
from .docs import page
from .endpoint import Endpoint, Model

Json = dict[str, Any]
Endpoints = Iterable[tuple[str, str, Endpoint]]

DOCUMENT = web.AppKey("document", Json)
REF = "#/components/schemas/{model}"
SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, a Supabase user's token, or a ticket.",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": access.COOKIE},
}
WHO = {
    "public": "Anybody.",
    "user": "A signed-in user, for themself; a server, for anybody.",
    "server": "A server, with an API key.",
}
INTRODUCTION = (
    "Connects TikTok accounts once, and keeps them connected. "
    "Every error has one shape, and its code is one of: {codes}."
)


async def described(request: web.Request) -> web.Response:
    """This description, as OpenAPI."""
    return web.Response(body=to_json(request.app[DOCUMENT]), content_type="application/json")


async def docs(request: web.Request) -> web.Response:
    """This description, as a page."""
    return web.Response(text=page(request.app[DOCUMENT]), content_type="text/html")


def document(endpoints: Endpoints) -> Json:
    endpoints = tuple(endpoints)
    paths: dict[str, Json] = {}
    for method, path, endpoint in endpoints:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The TikTok connector",
            "version": __version__,
            "description": INTRODUCTION.format(codes=", ".join(sorted(_codes(ConnectorError)))),
        },
        "paths": paths,
        "components": {"schemas": _schemas(endpoints), "securitySchemes": SCHEMES},
    }


def _operation(method: str, path: str, endpoint: Endpoint) -> Json:
    summary, _, more = (endpoint.handler.__doc__ or "").strip().partition("\n")
    who = _who(path)
    parameters = [_in_path(name) for name in re.findall(r"{(\w+)}", path)]
    operation: Json = {
        "summary": summary,
        "description": " ".join(f"{more} {WHO[who]}".split()),
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "security": [] if who == "public" else [{scheme: []} for scheme in SCHEMES],
        "parameters": parameters + _in_query(endpoint.query),
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        needed = any(field.is_required() for field in endpoint.body.model_fields.values())
        operation["requestBody"] = {"required": needed, "content": _content(endpoint.body)}
    return operation


def _who(path: str) -> str:
    return "public" if path in access.PUBLIC else "server" if path in access.SERVER else "user"


def _responses(endpoint: Endpoint) -> Json:
    fine: Json = {"description": "Done."}
    if endpoint.answer is not None:
        fine["content"] = _content(endpoint.answer)
    refused = {
        "description": "Refused; `code` says why.",
        "content": {
            "application/json": {
                "schema": {"anyOf": [_ref(TikTokRefusal), _ref(Refusal)]},
            }
        },
    }
    return {"200" if endpoint.answer else "default": fine, "4XX": refused, "5XX": refused}


def _content(model: Model) -> Json:
    return {"application/json": {"schema": _ref(model)}}


def _ref(model: Model) -> Json:
    return {"$ref": REF.format(model=model.__name__)}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(model: Model | None) -> list[Json]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=REF)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _given(shape)}
        for name, shape in schema["properties"].items()
    ]


def _given(shape: Json) -> Json:
    """In a query what is left out is left out: there is no null."""
    kept = {name: value for name, value in shape.items() if name not in ("title", "default")}
    choices = [choice for choice in kept.pop("anyOf", ()) if choice != {"type": "null"}]
    return kept | (choices[0] if choices else {})


def _schemas(endpoints: Endpoints) -> Json:
    takes = {endpoint.body for _, _, endpoint in endpoints if endpoint.body}
    gives = {endpoint.answer for _, _, endpoint in endpoints if endpoint.answer}
    gives |= {Refusal, TikTokRefusal}
    wanted = [(model, "validation") for model in takes] + [(m, "serialization") for m in gives]
    wanted.sort(key=lambda each: each[0].__name__)
    _, schema = models_json_schema(wanted, ref_template=REF)  # type: ignore[arg-type]  # a Literal lost in a list
    definitions: Json = schema["$defs"]
    return definitions


def _codes(kind: type[ConnectorError]) -> set[str]:
    return {kind.code}.union(*(_codes(child) for child in kind.__subclasses__()))
