"""The HTTP API and the pages. `routes` lists all addresses.

`build_application` makes an aiohttp application of the service's parts, and `listen` serves the
application. Every error has the same JSON shape. A route without an access rule refuses every request.
"""

from __future__ import annotations

from .app_keys import HttpSettings, WebServices
from .http_server import ListenError, listen
from .presenters import (
    connection_summary,
    delivery_response,
    endpoint_response,
    event_response,
)
from .routes import ROUTES, build_application

__all__ = [
    "ROUTES",
    "HttpSettings",
    "ListenError",
    "WebServices",
    "build_application",
    "connection_summary",
    "delivery_response",
    "endpoint_response",
    "event_response",
    "listen",
]
