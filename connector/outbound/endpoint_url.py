"""Parses the URL of an endpoint. The request is sent to the parsed URL, so no other parser can read another
host in the same text.

A host whose last label is a number is an IPv4 address for some resolvers: 2130706433, 0x7f.1 and 127.1 are
127.0.0.1. Only the form with four decimal numbers is accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

from connector.errors import EndpointRefused

from .addresses import IPAddress

MAX_URL_LENGTH = 1024
MAX_HOST_LENGTH = 253
HTTPS_PORT = 443
FIRST_UNPRIVILEGED_PORT = 1024

_AUTHORITY = re.compile(r"(?i)https?://([^/?#]*)")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class EndpointUrl:
    url: URL
    host: str
    literal: IPAddress | None
    """The address, if the URL contains an address instead of a name."""

    @property
    def is_encrypted(self) -> bool:
        return self.url.scheme == "https"


@lru_cache(maxsize=256)
def parse_endpoint_url(text: str) -> EndpointUrl:
    """Raises `EndpointRefused`. Does not resolve the host name."""
    authority = _check_text(text)
    try:
        url = URL(text)
        host, port = url.raw_host or "", url.port
    except ValueError:
        raise EndpointRefused(
            "The url is not valid. Write it like https://example.com/hook."
        ) from None
    if port is None or (port != HTTPS_PORT and port < FIRST_UNPRIVILEGED_PORT):
        raise EndpointRefused(
            f"The url names port {port}. Use port {HTTPS_PORT}, or a port from "
            f"{FIRST_UNPRIVILEGED_PORT}."
        )
    return EndpointUrl(url, host, _parse_host(host, in_brackets="[" in authority))


def _check_text(text: str) -> str:
    """Returns the authority, which contains the host and the port."""
    if len(text) > MAX_URL_LENGTH:
        raise EndpointRefused(f"The url is too long. Use at most {MAX_URL_LENGTH} characters.")
    if not text.isprintable() or " " in text or "\\" in text:
        raise EndpointRefused(
            "The url contains a space, a backslash or a control character. Remove or encode it."
        )
    match = _AUTHORITY.match(text)
    if match is None or not match[1]:
        raise EndpointRefused(
            "The url is not a web address. Write it like https://example.com/hook."
        )
    if "@" in match[1]:
        raise EndpointRefused(
            "The url contains a user name or a password. Remove it: every request is signed."
        )
    if "#" in text:
        raise EndpointRefused("The url contains a fragment (#), which is never sent. Remove it.")
    return match[1]


def _parse_host(host: str, *, in_brackets: bool) -> IPAddress | None:
    try:
        if in_brackets:
            address = IPv6Address(host)
            # A zone (fe80::1%eth0) names a network interface of this machine.
            if address.scope_id is None:
                return address
        elif _NUMBER.fullmatch(host.rpartition(".")[2]):
            return IPv4Address(host)
        elif len(host) <= MAX_HOST_LENGTH and _HOST_NAME.fullmatch(host):
            return None
    except ValueError:
        pass
    raise EndpointRefused(
        "The host of the url is not valid. Write a host name without a dot at the end, or an IP address "
        "in its usual form, such as 192.0.2.7 or [2001:db8::7]."
    )
