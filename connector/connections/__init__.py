"""Use cases with existing connections, and cached statistics about all of them.

`ConnectionService` lists, refreshes and disconnects connections, selects advertisers and returns access
tokens. A connection outside the caller's `Scope` is not found (404), never forbidden: an error must not
reveal that the connection exists.
"""

from __future__ import annotations

from .lists import ConnectionPage
from .scope import Scope
from .service import AdvertiserSelection, ConnectionService
from .statistics import ACTIVITY_CACHE_TTL, Activity, ConnectionStatistics

__all__ = [
    "ACTIVITY_CACHE_TTL",
    "Activity",
    "AdvertiserSelection",
    "ConnectionPage",
    "ConnectionService",
    "ConnectionStatistics",
    "Scope",
]
