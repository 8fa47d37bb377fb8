"""The settings that decide who may call the service, as fields of `Settings`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from connector.identity import ApiKey, JwtIssuer

from . import access_parsers, parsers
from .sources import Setting


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    api_keys: Annotated[
        tuple[ApiKey, ...],
        Setting(
            "CONNECTOR_API_KEYS",
            access_parsers.api_keys,
            "Keys of your own servers, comma-separated: a key, or name:scopes:key.",
            default="",
            secret=True,
        ),
    ]
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        Setting(
            "CONNECTOR_TRUSTED_PROXIES",
            parsers.comma_separated(access_parsers.network),
            "The networks of your proxies, comma-separated: their X-Forwarded-For names the caller.",
            default="",
        ),
    ]
    jwt_issuers: Annotated[
        tuple[JwtIssuer, ...],
        Setting(
            "CONNECTOR_JWT_ISSUERS",
            access_parsers.jwt_issuers,
            "Further OpenID Connect issuers of users' tokens: issuer or issuer|audience, comma-separated.",
            default="",
        ),
    ]
    accept_unsigned_state: Annotated[
        bool,
        Setting(
            "CONNECTOR_ACCEPT_UNSIGNED_STATE",
            parsers.boolean,
            "Accept an unsigned state from every caller, for frontends that create the state themselves.",
            default="false",
        ),
    ]
    require_user: Annotated[
        bool,
        Setting(
            "CONNECTOR_REQUIRE_USER",
            parsers.boolean,
            "An exchange on your own callback page must bring the token of the signed-in user.",
            default="false",
        ),
    ]
