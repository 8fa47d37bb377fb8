"""The settings of events, as fields of `Settings`: where the service may send them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from . import access_parsers, parsers
from .sources import Setting


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    private_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        Setting(
            "CONNECTOR_PRIVATE_NETWORKS",
            parsers.comma_separated(access_parsers.network),
            "Networks of your own to which events may be sent, also over http, comma-separated.",
            default="",
        ),
    ]
