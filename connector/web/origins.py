"""Where a person may be sent, and which pages may call us: exact origins, nothing that looks like one.

A browser forgives much in an address (a tab, a backslash, a missing slash), and what it makes of it is
not what we read. So anything it would have to forgive is refused.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from connector.errors import InvalidRequest

from .keys import Options

USUAL_PORTS = {"http": ":80", "https": ":443"}


def origin(url: str) -> str | None:
    """As a browser would write it in an Origin header; None for what is no web address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in USUAL_PORTS or not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}".removesuffix(USUAL_PORTS[parts.scheme])


def check_return_to(return_to: str | None, options: Options) -> None:
    if return_to is None:
        return
    plain = return_to.isascii() and return_to.isprintable() and not set(return_to) & set("\\ ")
    if plain and return_to.startswith("/") and not return_to.startswith("//"):
        return
    if (
        plain
        and return_to.startswith(("http://", "https://"))
        and origin(return_to) in _ours(options)
    ):
        return
    raise InvalidRequest(
        "return_to must be a path here, such as /status, or an address whose origin stands in "
        "CONNECTOR_ALLOWED_ORIGINS or TIKTOK_REDIRECT_URI."
    )


def _ours(options: Options) -> set[str | None]:
    known = (options.public_url, *options.redirect_uris, *options.allowed_origins)
    return {origin(url) for url in known} - {None}
