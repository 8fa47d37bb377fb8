"""The table of contents: an address leads to a handler in the module that bears the subject's name."""

from __future__ import annotations

import logging

from aiohttp import web

from . import (
    advertisers,
    connections,
    exchange,
    health,
    openapi,
    pages,
    tickets,
    tokens,
)
from .endpoint import Endpoint, Handler
from .middleware import conversation, finish
from .reading import LARGEST_BODY
from .unreadable import LONGEST_LINE, answer_the_unreadable

log = logging.getLogger(__name__)

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/oauth/start", exchange.start),
    ("GET", "/oauth/start", exchange.go),
    ("POST", "/oauth/exchange", exchange.exchange),
    ("POST", "/tiktok/oauth/exchange", exchange.exchange),
    ("POST", "/api/tiktok/oauth/exchange", exchange.exchange),
    ("GET", "/advertisers", advertisers.listed),
    ("POST", "/advertisers/select", advertisers.select),
    ("GET", "/connections", connections.listed),
    ("GET", "/connections/{id}", connections.one),
    ("DELETE", "/connections/{id}", connections.disconnect),
    ("POST", "/connections/{id}/refresh", connections.refresh),
    ("GET", "/connections/{id}/attempts", connections.attempts),
    ("GET", "/connections/{id}/token", tokens.of_connection),
    ("GET", "/token", tokens.of_user),
    ("GET", "/pulse", connections.pulse),
    ("GET", "/families", connections.families),
    ("POST", "/tickets", tickets.mint),
    ("GET", "/session", tickets.session),
    ("POST", "/session", tickets.begin_session),
    ("DELETE", "/session", tickets.end_session),
    ("GET", "/healthz", health.healthz),
    ("GET", "/readyz", health.readyz),
    ("GET", "/metrics", health.metrics),
    ("GET", "/openapi.json", openapi.described),
    ("GET", "/docs", openapi.docs),
    ("GET", "/", pages.home),
    ("GET", "/connect", pages.connect),
    ("GET", "/status", pages.status),
    ("GET", "/oauth/callback", pages.callback),
    ("GET", "/static/{file}", pages.asset),
)


def application() -> web.Application:
    """The composition root puts in what the handlers stand on."""
    app = web.Application(
        middlewares=[conversation],
        client_max_size=LARGEST_BODY,
        handler_args={
            "logger": log,
            "max_line_size": LONGEST_LINE,
            "max_field_size": LONGEST_LINE,
        },
    )
    answer_the_unreadable(app)
    app.on_response_prepare.append(finish)
    endpoints = [(method, path, Endpoint.of(handler)) for method, path, handler in TABLE]
    for method, path, endpoint in endpoints:
        app.router.add_route(method, path, endpoint.serve)
        if method == "GET":  # Where one may read, one may also ask for the headers alone.
            app.router.add_route("HEAD", path, endpoint.serve)
    app[openapi.DOCUMENT] = openapi.document(endpoints)
    app[pages.FILES] = pages.files()
    app[health.COUNTING] = health.Counting()
    return app
