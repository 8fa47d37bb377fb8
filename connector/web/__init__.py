"""The HTTP API and the pages. `routes` is the table of contents.

`build_application` makes an aiohttp application of the service's parts, and `listen` serves it. Every
error has one JSON shape. A route without an access level is closed.
"""

from __future__ import annotations

from .app_keys import HttpSettings, WebServices
from .http_server import ListenError, listen
from .presenters import connection_summary
from .routes import ROUTES, build_application

__all__ = [
    "ROUTES",
    "HttpSettings",
    "ListenError",
    "WebServices",
    "build_application",
    "connection_summary",
    "listen",
]
