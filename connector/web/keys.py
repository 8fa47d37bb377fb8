"""What the handlers stand on, put into the application by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from connector.clock import Clock
from connector.connections import Connections
from connector.exchange import Exchange
from connector.identity import Identity
from connector.intent import Intents
from connector.journal import Journal
from connector.metrics import Metrics
from connector.model import Principal
from connector.store import Store
from connector.tiktok import Family


@dataclass(frozen=True)
class Options:
    """The settings that shape HTTP itself."""

    public_url: str
    redirect_uris: tuple[str, ...]
    allowed_origins: tuple[str, ...] = ()
    return_access_token: bool = False
    demo: bool = False


OPTIONS = web.AppKey("options", Options)
CLOCK = web.AppKey("clock", Clock)
FAMILIES = web.AppKey("families", Mapping[str, Family])
INTENTS = web.AppKey("intents", Intents)
IDENTITY = web.AppKey("identity", Identity)
EXCHANGE = web.AppKey("exchange", Exchange)
CONNECTIONS = web.AppKey("connections", Connections)
STORE = web.AppKey("store", Store)
JOURNAL = web.AppKey("journal", Journal)
METRICS = web.AppKey("metrics", Metrics)

REQUEST_ID = web.RequestKey("request_id", str)
PRINCIPAL = web.RequestKey("principal", Principal)
STALE_COOKIE = web.RequestKey("stale_cookie", bool)
"""The browser sent a session that does not hold: it is told to forget it."""

UNREADABLE = web.RequestKey("unreadable", bool)
"""What came was no HTTP, or too long: this request stands in its place."""
