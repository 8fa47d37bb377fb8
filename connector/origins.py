"""The origin of a URL, and whether a URL or a host leads to this machine or to the internet."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def origin_of(url: str) -> str | None:
    """Returns the origin as in the Origin header of a browser. Returns None if the text is not a web
    address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}".removesuffix(DEFAULT_PORTS[parts.scheme])


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_public_host(host: str) -> bool:
    """Returns False for this machine, and for addresses and names of a private network."""
    try:
        address = ip_address(host)
    except ValueError:
        # Some systems read a number without dots as an IPv4 address.
        return host.isdigit() or (
            "." in host and not host.endswith((".local", ".internal", ".localhost"))
        )
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_global
    return address.is_global
