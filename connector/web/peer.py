"""The address of the sender of a request, also behind trusted proxies.

`X-Forwarded-For` names the peer only if a proxy in `CONNECTOR_TRUSTED_PROXIES` sent the request, because
every caller can write this header. A peer in a private network that sends the header is probably a proxy
that the setting does not name. Its address does not identify the caller, so no limit counts by this address.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from .app_keys import HTTP_SETTINGS, Network

log = logging.getLogger(__name__)

FORWARDED_FOR = "X-Forwarded-For"
IPV6_PREFIX_LENGTH = 64
"""One person has a whole network of this size."""

UNKNOWN = "unknown"
Address = IPv4Address | IPv6Address


class PeerAddresses:
    def __init__(self, trusted_proxies: tuple[Network, ...]) -> None:
        self._trusted_proxies = trusted_proxies
        self._has_warned = False

    def address(self, request: web.Request) -> str:
        remote = request.remote or UNKNOWN
        if FORWARDED_FOR not in request.headers:
            return remote
        return str(self._find_peer(request, remote) or remote)

    def limit_key(self, request: web.Request) -> str | None:
        """Returns the key of the limits by peer. Returns None if the address does not stand for one caller."""
        remote = request.remote or UNKNOWN
        if FORWARDED_FOR in request.headers and self._is_unnamed_proxy(_parse(remote)):
            self._warn(remote)
            return None
        return _limit_key(self._find_peer(request, remote))

    def _find_peer(self, request: web.Request, remote: str) -> Address | None:
        """Returns the last address that is not a trusted proxy. Returns None if a trusted proxy sent no
        address there."""
        address = _parse(remote)
        for entry in _forwarded_from_right(request):
            if not self._is_trusted(address):
                break
            address = _parse(entry)
        return address

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted_proxies)

    def _is_unnamed_proxy(self, address: Address | None) -> bool:
        return address is not None and not address.is_global and not self._is_trusted(address)

    def _warn(self, remote: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "peer in a private network sends %s and is not in CONNECTOR_TRUSTED_PROXIES, so requests "
                "through it are not limited by peer peer=%s",
                FORWARDED_FOR,
                remote,
            )


PEER_ADDRESSES = web.AppKey("peer_addresses", PeerAddresses)


def peer_address(request: web.Request) -> str:
    return request.app[PEER_ADDRESSES].address(request)


def peer_limit_key(request: web.Request) -> str | None:
    return request.app[PEER_ADDRESSES].limit_key(request)


def add_peer_addresses(app: web.Application) -> None:
    app[PEER_ADDRESSES] = PeerAddresses(app[HTTP_SETTINGS].trusted_proxies)


def _forwarded_from_right(request: web.Request) -> Iterator[str]:
    entries = ",".join(request.headers.getall(FORWARDED_FOR, ())).split(",")
    return (entry.strip() for entry in reversed(entries))


@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    """Some proxies add a port: 192.0.2.1:443 or [2001:db8::1]:443."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _limit_key(address: Address | None) -> str | None:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), IPV6_PREFIX_LENGTH), strict=False))
    return None if address is None else str(address)
