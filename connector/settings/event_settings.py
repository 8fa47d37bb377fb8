"""The settings of events, as fields of `Settings`: where the service sends them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import SecretStr

from connector.events import InvalidSecret, parse_secret

from . import access_parsers, parsers
from .sources import Setting


def webhook_url(text: str) -> str:
    """A query is allowed. The address is checked when an event is sent."""
    parsers.parse_url(text, example="https://app.example.com/hooks/tiktok")
    return text


def webhook_secret(text: str) -> SecretStr:
    secret = parsers.secret(text)
    try:
        parse_secret(secret)
    except InvalidSecret as error:
        raise parsers.InvalidValue(
            str(error), 'Create a secret: echo "whsec_$(openssl rand -base64 32)".'
        ) from None
    return secret


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
    webhook_url: Annotated[
        str | None,
        Setting(
            "CONNECTOR_WEBHOOK_URL",
            webhook_url,
            "The URL of one endpoint that gets every event except TikTok's webhooks.",
        ),
    ]
    webhook_secret: Annotated[
        SecretStr | None,
        Setting(
            "CONNECTOR_WEBHOOK_SECRET",
            webhook_secret,
            "The secret of this endpoint: whsec_ and the base64 of 32 random bytes.",
            secret=True,
        ),
    ]
