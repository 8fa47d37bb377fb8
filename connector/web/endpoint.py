"""A handler as it is written, and as aiohttp calls it.

A handler says by its annotations what it takes and what it gives: `query` and `body` are models that
are read before it runs, and a model it returns becomes the JSON answer. The OpenAPI document reads
the same annotations, so it cannot tell another story.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, get_args, get_type_hints

from aiohttp import web
from pydantic import BaseModel
from pydantic_core import to_json

from . import reading

Handler = Callable[..., Awaitable[BaseModel | web.StreamResponse]]
Model = type[BaseModel]


@dataclass(frozen=True, eq=False)
class Endpoint:
    handler: Handler
    query: Model | None
    body: Model | None
    answer: Model | None
    """None where it is no JSON: a page, a redirect."""

    @classmethod
    def of(cls, handler: Handler) -> Self:
        hints = get_type_hints(handler)
        return cls(handler, hints.get("query"), hints.get("body"), _model(hints["return"]))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        given: dict[str, BaseModel] = {}
        if self.query is not None:
            given["query"] = reading.query(request, self.query)
        if self.body is not None:
            given["body"] = await reading.body(request, self.body)
        told = await self.handler(request, **given)
        return told if isinstance(told, web.StreamResponse) else answered(told)


def answered(told: BaseModel, *, status: int = 200) -> web.Response:
    return web.Response(body=to_json(told), status=status, content_type="application/json")


def _model(hint: Any) -> Model | None:
    """A handler that sets a cookie returns its model inside a response, and is annotated with both."""
    choices = get_args(hint) or (hint,)
    return next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), None)
