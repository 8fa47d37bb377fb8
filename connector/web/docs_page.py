"""The OpenAPI document as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class _Field:
    name: str
    schema: Json
    required: bool


PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title}: API</title>
    <link rel="icon" href="/static/mark.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/base.css">
    <link rel="stylesheet" href="/static/css/components.css">
  </head>
  <body>
    <header class="site-header"><a class="brand" href="/connect">Connector</a></header>
    <main>
      <div class="stack">
        <h1>{title} {version}</h1>
        <p class="lead">{description}</p>
        <p>For programs: <a class="link" href="/openapi.json">/openapi.json</a></p>
        {sections}
        {events}
      </div>
    </main>
  </body>
</html>
"""
SECTION = """<section class="card stack tight" id="{id}">
          <h2><b>{name}</b></h2>
          <p>{summary}</p>
          <p class="muted">{description}</p>
          {parameters}{response}
        </section>
        """
EVENTS_INTRODUCTION = """<h2 id="events">Events</h2>
        <p>Each event is sent with POST to every endpoint that asks for its type.</p>
        """
EVENT_SECTION = """<section class="card stack tight" id="{id}">
          <h2><b>{name}</b></h2>
          <p>{summary}</p>
          {headers}{data}
          <details><summary>Example</summary><pre>{example}</pre></details>
        </section>
        """


def render_docs_page(document: Json) -> str:
    schemas = document["components"]["schemas"]
    return PAGE.format(
        **{name: escape(text) for name, text in document["info"].items()},
        sections="".join(
            _section(f"{method.upper()} {path}", operation, schemas)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ),
        events=_events(document.get("webhooks", {}), schemas),
    )


def _events(webhooks: Json, schemas: Json) -> str:
    if not webhooks:
        return ""
    return EVENTS_INTRODUCTION + "".join(
        _event_section(name, methods["post"], schemas) for name, methods in webhooks.items()
    )


def _event_section(name: str, operation: Json, schemas: Json) -> str:
    content = operation["requestBody"]["content"]["application/json"]
    data = schemas[_schema_name(content["schema"]["properties"]["data"])]
    headers = [(header["name"], header["description"]) for header in operation["parameters"]]
    return EVENT_SECTION.format(
        id=operation["operationId"],
        name=escape(name),
        summary=escape(operation["summary"]),
        headers=_definition_list("Headers", headers),
        data=_definition_list(
            "Data", [(field, _type(schema)) for field, schema in data["properties"].items()]
        ),
        example=escape(json.dumps(content["example"], indent=2)),
    )


def _section(name: str, operation: Json, schemas: Json) -> str:
    parameters = [
        (
            parameter["name"],
            _describe(
                parameter["schema"] | {"description": parameter.get("description")},
                parameter["in"],
                required=parameter["required"],
            ),
        )
        for parameter in operation["parameters"]
    ]
    parameters += [
        (field.name, _describe(field.schema, "body", required=field.required))
        for field in _fields(operation.get("requestBody", {}), schemas)
    ]
    response = [
        (field.name, _with_description(_type(field.schema), field.schema))
        for field in _fields(_success(operation["responses"]), schemas)
    ]
    return SECTION.format(
        id=operation["operationId"],
        name=escape(name),
        summary=escape(operation["summary"]),
        description=escape(operation["description"]),
        parameters=_definition_list("Parameters", parameters),
        response=_definition_list("Response", response),
    )


def _success(responses: Json) -> Json:
    return next((response for status, response in responses.items() if status[0] == "2"), {})


def _fields(owner: Json, schemas: Json) -> Iterable[_Field]:
    """The fields of a request body or a response."""
    content = owner.get("content", {}).get("application/json")
    if content is None:
        return ()
    schema = schemas[_schema_name(content["schema"])]
    required = schema.get("required", ())
    return [
        _Field(name, field_schema, name in required)
        for name, field_schema in schema["properties"].items()
    ]


def _describe(schema: Json, location: str, *, required: bool) -> str:
    text = f"{_type(schema)}, in the {location}{', required' if required else ''}"
    return _with_description(text, schema)


def _with_description(text: str, schema: Json) -> str:
    description = schema.get("description")
    return f"{text}. {description}" if description else text


def _definition_list(caption: str, entries: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in entries
    )
    if not lines:
        return ""
    return f'<details><summary>{caption}</summary><dl class="facts">{lines}</dl></details>'


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return _schema_name(schema)
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "const" in schema:
        return str(schema["const"]).lower()
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "anything"))


def _schema_name(schema: Json) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]
