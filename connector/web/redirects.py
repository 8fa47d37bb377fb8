"""Checks the address to which a person is redirected: its origin must be allowed.

A browser corrects many errors in an address (a tab, a backslash, a missing slash), and it resolves `.` and
`..` in a path. The corrected address may differ from the address that this module parses: `/..//evil.example`
becomes `//evil.example`, which leads to another host. So such an address is rejected.
"""

from __future__ import annotations

import re

from connector.errors import InvalidRequest
from connector.origins import origin_of

from .app_keys import HttpSettings

DOT_SEGMENT = re.compile(r"/(\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
"""A browser reads `%2e` as a dot."""


def check_return_to(return_to: str | None, settings: HttpSettings) -> None:
    if return_to is None or (
        _is_plain(return_to)
        and (_is_local_path(return_to) or _has_allowed_origin(return_to, settings))
    ):
        return
    raise InvalidRequest(
        "return_to must be a path of this service, such as /status, or an address whose origin is in "
        "CONNECTOR_ALLOWED_ORIGINS or TIKTOK_REDIRECT_URI."
    )


def _is_plain(address: str) -> bool:
    path = re.split("[?#]", address, maxsplit=1)[0]
    has_unsafe_character = set(address) & set("\\ ") or not address.isprintable()
    return address.isascii() and not has_unsafe_character and not DOT_SEGMENT.search(path)


def _is_local_path(address: str) -> bool:
    return address.startswith("/") and not address.startswith("//")


def _has_allowed_origin(address: str, settings: HttpSettings) -> bool:
    if not address.startswith(("http://", "https://")):
        return False
    urls = (settings.public_url, *settings.redirect_uris, *settings.allowed_origins)
    return origin_of(address) in {origin_of(url) for url in urls} - {None}
