"""Sends events to the endpoints of customers, and lets customers read them.

The store writes an event in the same transaction as the change that the event describes. `Dispatcher` numbers events
and delivers each event at least once, signed as Standard Webhooks describes. `EndpointService` manages the endpoints,
and `EventFeed` reads the events in the order of their numbers. `EVENT_TYPES` describes every type of event. An event
never contains a token.
"""

from __future__ import annotations

from .catalogue import DEFAULT_PATTERNS, EVENT_TYPES, EventType, parse_patterns
from .configured_endpoint import CONFIGURED_ENDPOINT_ID
from .dispatcher import Dispatcher
from .endpoints import DeliveryPage, EndpointService, EndpointWithSecret
from .feed import EVENT_RETENTION, EventFeed, EventPage
from .parts import Events
from .sender import TestResult
from .signing import InvalidSecret, parse_secret

__all__ = [
    "CONFIGURED_ENDPOINT_ID",
    "DEFAULT_PATTERNS",
    "EVENT_RETENTION",
    "EVENT_TYPES",
    "DeliveryPage",
    "Dispatcher",
    "EndpointService",
    "EndpointWithSecret",
    "EventFeed",
    "EventPage",
    "EventType",
    "Events",
    "InvalidSecret",
    "TestResult",
    "parse_patterns",
    "parse_secret",
]
