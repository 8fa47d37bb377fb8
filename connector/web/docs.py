"""The OpenAPI description as a page: nothing in it that the document does not say."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

Json = dict[str, Any]

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title}: every address</title>
    <link rel="icon" href="/static/mark.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/style.css">
  </head>
  <body>
    <header class="top"><a class="brand" href="/connect">Connector</a></header>
    <main>
      <div class="overview">
        <h1>{title} {version}</h1>
        <p class="lede">{description}</p>
        <p>For programs: <a class="link" href="/openapi.json">/openapi.json</a></p>
        {sections}
      </div>
    </main>
  </body>
</html>
"""
SECTION = """<section class="card asks" id="{id}">
          <h2><b>{name}</b></h2>
          <p>{summary}</p>
          <p class="soft">{description}</p>
          {takes}{gives}
        </section>
        """


def page(document: Json) -> str:
    schemas = document["components"]["schemas"]
    return PAGE.format(
        **{name: escape(text) for name, text in document["info"].items()},
        sections="".join(
            _section(f"{method.upper()} {path}", operation, schemas)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ),
    )


def _section(name: str, operation: Json, schemas: Json) -> str:
    takes = [
        (field["name"], _shown(field["schema"], f"in the {field['in']}", field["required"]))
        for field in operation["parameters"]
    ]
    body = operation.get("requestBody", {})
    takes += [(f, _shown(shape, "in the body", needed)) for f, shape, needed in _of(body, schemas)]
    gives = [
        (field, _type(shape))
        for field, shape, _ in _of(operation["responses"].get("200", {}), schemas)
    ]
    return SECTION.format(
        id=operation["operationId"],
        name=escape(name),
        summary=escape(operation["summary"]),
        description=escape(operation["description"]),
        takes=_list("Takes", takes),
        gives=_list("Answers", gives),
    )


def _of(holder: Json, schemas: Json) -> Iterable[tuple[str, Json, bool]]:
    """The fields of a body, or of an answer, and whether each must be there."""
    content = holder.get("content", {}).get("application/json")
    if content is None:
        return ()
    schema = schemas[_name(content["schema"])]
    required = schema.get("required", ())
    return [(field, shape, field in required) for field, shape in schema["properties"].items()]


def _shown(shape: Json, place: str, needed: bool) -> str:
    return f"{_type(shape)}, {place}{', required' if needed else ''}"


def _list(caption: str, fields: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(shown)}</dd></div>" for name, shown in fields
    )
    if not lines:
        return ""
    return f'<details><summary>{caption}</summary><dl class="facts">{lines}</dl></details>'


def _type(shape: Json) -> str:
    if "$ref" in shape:
        return _name(shape)
    if "anyOf" in shape:
        return " or ".join(map(_type, shape["anyOf"]))
    if "const" in shape:
        return str(shape["const"]).lower()
    if "enum" in shape:
        return " or ".join(map(str, shape["enum"]))
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}"
    return str(shape.get("format") or shape.get("type", "anything"))


def _name(shape: Json) -> str:
    return str(shape["$ref"]).rsplit("/", 1)[-1]
