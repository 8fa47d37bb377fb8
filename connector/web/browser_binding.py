"""Binds a state to the browser that started the connection (RFC 9700, section 4.7).

Without the binding, a stranger could send a person a link with the stranger's own state. If the person opens
the link, the person's TikTok account would be connected to the stranger's user.

A start by a user for our own callback page sets a cookie with a random value, and the signed state contains
the hash of that value. Each state has a cookie of its own, so several tabs can connect at the same time. A
bound state is never exchanged without its cookie. The cookie stays until the state expires, because the same
code and state may be posted again.

A state for another callback page is not bound: that page is on another origin, so its requests bring no
cookie. A page of another origin that starts with a user's token cannot store the cookie either. A start with
a session cookie is bound only if one of our pages sent it: our pages show for whom they connect, and a link
to `GET /oauth/start` on another page, or in a message, does not. Where a state is not bound, our callback page
asks the person before the exchange.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web

from connector.errors import InvalidState
from connector.model import OAuthState
from connector.origins import origin_of

from .access import has_credentials
from .app_keys import HTTP_SETTINGS, PRINCIPAL, SERVICES

COOKIE_PREFIX = "connector_state_"
COOKIE_PATH = "/oauth"
MAX_COOKIES = 16
"""About 1.3 kB of cookies. The next start deletes the oldest one."""


@dataclass(frozen=True)
class BrowserBinding:
    secret: str = field(repr=False)

    @property
    def browser_hash(self) -> str:
        return _hash(self.secret)


def new_binding(request: web.Request, *, redirect_uri: str) -> BrowserBinding | None:
    """Returns None if the browser could not bring the cookie to the exchange."""
    is_own_callback = redirect_uri == request.app[HTTP_SETTINGS].own_callback
    if request[PRINCIPAL].kind != "user" or not is_own_callback or not _may_bind(request):
        return None
    return BrowserBinding(secrets.token_urlsafe(32))


def set_binding_cookie(
    request: web.Request, response: web.Response, binding: BrowserBinding | None
) -> None:
    if binding is None:
        return
    # A browser sends its oldest cookie first (RFC 6265, section 5.4).
    names = [name for name in request.cookies if name.startswith(COOKIE_PREFIX)]
    for name in names[: max(0, len(names) - MAX_COOKIES + 1)]:
        response.del_cookie(name, path=COOKIE_PATH)
    response.set_cookie(
        _cookie_name(binding.browser_hash),
        binding.secret,
        max_age=int(request.app[SERVICES].oauth_states.max_age.total_seconds()),
        path=COOKIE_PATH,
        secure=request.app[HTTP_SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )


def check_binding(request: web.Request, oauth_state: OAuthState) -> None:
    """Raises if a bound state comes without its cookie. A state that is not bound needs no cookie."""
    if oauth_state.browser_hash is None:
        return
    secret = request.cookies.get(_cookie_name(oauth_state.browser_hash), "")
    if not hmac.compare_digest(_hash(secret), oauth_state.browser_hash):
        raise InvalidState(
            "This link was opened in another browser than the one that started the connection: "
            "start again in this browser."
        )


def _may_bind(request: web.Request) -> bool:
    """A program that sends a user's credentials sends no Origin. A browser sends a session cookie also with
    the links of other pages."""
    own_origin = origin_of(request.app[HTTP_SETTINGS].public_url)
    origin = request.headers.get("Origin")
    if has_credentials(request):
        return origin in (None, own_origin)
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or (
        origin is not None and origin == own_origin
    )


def _cookie_name(browser_hash: str) -> str:
    return COOKIE_PREFIX + browser_hash[:12]


def _hash(secret: str) -> str:
    """A cookie may contain bytes that are not valid UTF-8."""
    digest = sha256(secret.encode(errors="surrogatepass")).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
