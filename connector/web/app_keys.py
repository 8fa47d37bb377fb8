"""The keys and types of the values that handlers read from `request.app` and from `request`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from aiohttp import web

from connector.audit import AuditLog
from connector.clock import Clock
from connector.connections import ConnectionService, ConnectionStatistics
from connector.encryption import TokenCipher
from connector.events import Events
from connector.identity import Authenticator, BrowserSessions, CredentialLimiter
from connector.journal import Journal
from connector.metrics import Metrics
from connector.model import Principal
from connector.oauth import CodeExchange, OAuthStates
from connector.service_warnings import ServiceWarnings
from connector.store import Store
from connector.tiktok import ApiFamily
from connector.webhooks import WebhookReceiver

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class HttpSettings:
    """The settings that concern HTTP itself."""

    public_url: str
    redirect_uris: tuple[str, ...]
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    return_access_token: bool = False
    require_user: bool = False
    demo: bool = False
    hold: bool = False
    """True after `serve --hold`: no token and no code is used."""

    @property
    def is_https(self) -> bool:
        """Returns whether people reach the service over https."""
        return self.public_url.startswith("https://")

    @property
    def own_callback(self) -> str:
        """The redirect URI of our own callback page."""
        return f"{self.public_url}/oauth/callback"


class WebServices(Protocol):
    """The parts of the service that handlers use; `connector.app.Service` has them all."""

    @property
    def clock(self) -> Clock: ...
    @property
    def families(self) -> Mapping[str, ApiFamily]: ...
    @property
    def oauth_states(self) -> OAuthStates: ...
    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def credential_limiter(self) -> CredentialLimiter: ...
    @property
    def sessions(self) -> BrowserSessions: ...
    @property
    def code_exchange(self) -> CodeExchange: ...
    @property
    def connections(self) -> ConnectionService: ...
    @property
    def statistics(self) -> ConnectionStatistics: ...
    @property
    def webhooks(self) -> WebhookReceiver: ...
    @property
    def events(self) -> Events: ...
    @property
    def store(self) -> Store: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def cipher(self) -> TokenCipher: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def warnings(self) -> ServiceWarnings: ...


SERVICES: web.AppKey[WebServices] = web.AppKey("services")
HTTP_SETTINGS = web.AppKey("http_settings", HttpSettings)

REQUEST_ID = web.RequestKey("request_id", str)
PRINCIPAL = web.RequestKey("principal", Principal)
CLEAR_SESSION_COOKIE = web.RequestKey("clear_session_cookie", bool)
"""Set if the browser sent an invalid session cookie. The response then deletes the cookie."""

IS_MALFORMED = web.RequestKey("is_malformed", bool)
"""Set on the request that stands for bytes which are not a valid HTTP request. Its route is unknown."""
