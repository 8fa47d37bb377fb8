"""What both of TikTok's API grammars share.

An endpoint is a plain function from an `Ask` to data; it says no by raising `Refusal`. The two
grammars, `business` and `open_api`, turn either into HTTP.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from .nouns import App, Json
from .world import World

WORLD = web.AppKey("world", World)
LINE: web.RequestKey[Json] = web.RequestKey("line", dict)
"""The call's line in the log, completed by whoever learns something worth keeping."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """TikTok's no. `status` counts only where the grammar has true ones."""

    def __init__(self, code: int | str, message: str, *, status: int = 200) -> None:
        self.code = code
        self.message = message
        self.status = status


@dataclass
class Ask:
    """One call: `given` is the query of a GET and the body of a POST."""

    world: World
    request: web.Request
    given: Mapping[str, object]
    delay_ms: float = 0
    counted: bool = False

    def note(self, **facts: str) -> None:
        self.request[LINE].update(facts)

    def text(self, name: str) -> str:
        """The field as text, empty where it is missing; numbers are taken as they were written."""
        value = self.given.get(name)
        return "" if value is None or isinstance(value, bool) else str(value)

    def app(self, id: str) -> App | None:
        app = self.world.apps.get(id)
        if app is not None:
            self.note(app=app.id)
        return app


Answer = Callable[[Ask], Json]


def log_id(world: World) -> str:
    stamp = datetime.fromtimestamp(world.now(), UTC).strftime("%Y%m%d%H%M%S")
    return f"{stamp}{secrets.token_hex(9).upper()}"


def reply(body: Json, *, id: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode(),
        content_type="application/json",
        charset="utf-8",
        headers={"X-Tt-Logid": id},
    )


def verdict(request: web.Request, word: str) -> None:
    if LINE in request:
        request[LINE]["verdict"] = word


def remaining(until: float | None, *, now: float) -> int:
    return max(0, round((until or now) - now))
