"""The rows of the route table, and the adapter from a typed handler to an aiohttp handler.

The annotations of a handler declare its input and output: `query` and `body` are models that are parsed
before the handler runs, and a returned model becomes the JSON response. The OpenAPI document is generated
from the same annotations, so the document always matches.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Self, get_args, get_type_hints

from aiohttp import web
from pydantic import BaseModel
from pydantic_core import to_json

from connector.model import KeyScope

from .access import Access, AccessRule
from .request_parsing import parse_body, parse_query

Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse]]
Model = type[BaseModel]


@dataclass(frozen=True, eq=False)
class TypedHandler:
    handler: Handler
    query: Model | None
    body: Model | None
    response: Model | None
    """None if the response is not JSON: a page or a redirect."""

    status: int
    """The status of a JSON response."""

    @classmethod
    def of(cls, handler: Handler, *, status: int) -> Self:
        hints = get_type_hints(handler)
        response = _model_in(hints["return"])
        return cls(handler, hints.get("query"), hints.get("body"), response, status)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        arguments: dict[str, BaseModel] = {}
        if self.query is not None:
            arguments["query"] = parse_query(request, self.query)
        if self.body is not None:
            arguments["body"] = await parse_body(request, self.body)
        result = await self.handler(request, **arguments)
        if isinstance(result, web.StreamResponse):
            return result
        return json_response(result, status=self.status)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Handler
    _: KW_ONLY
    access: Access
    scope: KeyScope | None = None
    status: int = 200

    def __post_init__(self) -> None:
        if self.access is not Access.PUBLIC and self.scope is None:
            raise TypeError(f"{self.method} {self.path} must name the scope that an API key needs")

    @property
    def rule(self) -> AccessRule:
        return AccessRule(self.access, self.scope)

    @property
    def canonical(self) -> str:
        """The path as the router, the metrics and the documents show it: without regular expressions."""
        return re.sub(r"{(\w+):[^}]*}", r"{\1}", self.path)

    @cached_property
    def typed_handler(self) -> TypedHandler:
        return TypedHandler.of(self.handler, status=self.status)


def json_response(model: BaseModel, *, status: int = 200) -> web.Response:
    return web.Response(body=to_json(model), status=status, content_type="application/json")


def _model_in(hint: Any) -> Model | None:
    """A handler that sets a cookie returns its model inside a response and is annotated with both."""
    choices = get_args(hint) or (hint,)
    models = (hint for hint in choices if isinstance(hint, type) and issubclass(hint, BaseModel))
    return next(models, None)
