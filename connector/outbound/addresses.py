"""Decides which IP addresses may be connected to: public ones, and those that the operator allows.

`is_global` of the standard library is not enough. It is True for 224.0.0.1, 64:ff9b::7f00:1 and
2002:7f00:1::, and its result depends on the version of Python. So every range of IANA's registries of
special-purpose addresses that `is_global` misses in one supported version is listed here.
https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# The only part of IPv6 from which public addresses are assigned. Outside are, among others, loopback,
# IPv4-compatible addresses (::/96), NAT64 (64:ff9b::/96, 64:ff9b:1::/48), segment routing (5f00::/16),
# unique local (fc00::/7), link-local (fe80::/10), site-local (fec0::/10) and multicast (ff00::/8) addresses.
GLOBAL_UNICAST = IPv6Network("2000::/3")

REFUSED_NETWORKS: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocol assignments. Python's result differs between versions.
            "192.88.99.0/24",  # The former relay from IPv6 to IPv4 (6to4).
            "2001::/23",  # IETF protocol assignments; Teredo addresses contain an IPv4 address.
            "2002::/16",  # 6to4: the address contains an IPv4 address, which may be a private one.
            "3fff::/20",  # Documentation, unknown to older versions of Python.
        ),
    )
)


def is_allowed(
    address: IPAddress, private_networks: tuple[Network, ...], *, allow_loopback: bool = False
) -> bool:
    return is_public(address) or is_internal(
        address, private_networks, allow_loopback=allow_loopback
    )


@lru_cache(maxsize=1024)
def is_internal(
    address: IPAddress, private_networks: tuple[Network, ...], *, allow_loopback: bool = False
) -> bool:
    """Returns True for an address that the operator allows although it may not be public."""
    address = _unmapped(address)
    if allow_loopback and address.is_loopback:
        return True
    return not _has_zone(address) and any(address in network for network in private_networks)


@lru_cache(maxsize=1024)
def is_public(address: IPAddress) -> bool:
    address = _unmapped(address)
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in REFUSED_NETWORKS)


def _unmapped(address: IPAddress) -> IPAddress:
    """The operating system connects to ::ffff:a.b.c.d as to the IPv4 address a.b.c.d."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _has_zone(address: IPAddress) -> bool:
    """A zone names a network interface of this machine, and the same address exists in every zone."""
    return isinstance(address, IPv6Address) and address.scope_id is not None
