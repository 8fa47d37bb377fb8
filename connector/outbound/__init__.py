"""Sends HTTP requests to addresses that customers name, and to no address inside the operator's network.

Without a check, such an address could name a machine that only this process can reach (server-side request
forgery, SSRF). So every attempt resolves the host name, checks all its addresses, and connects to one of
exactly these addresses. The operator's own networks are allowed by CONNECTOR_PRIVATE_NETWORKS.
"""

from __future__ import annotations

from .addresses import Network
from .client import OutboundClient, OutboundError, OutboundResponse

__all__ = [
    "Network",
    "OutboundClient",
    "OutboundError",
    "OutboundResponse",
]
