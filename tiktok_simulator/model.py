"""Data classes of the simulator. Times are seconds since the epoch, by the simulator's clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

Family = Literal["marketing", "accounts", "login_kit"]
Rotation = Literal["strict", "grace", "none"]
Json = dict[str, Any]
TimeSource = Callable[[], float]


class TokenLifetimes(NamedTuple):
    """Lifetimes in seconds. `None` means that the token is valid until it is revoked."""

    access: float | None
    refresh: float | None


DOCUMENTED_LIFETIMES: Mapping[Family, TokenLifetimes] = {
    "marketing": TokenLifetimes(access=None, refresh=None),
    "accounts": TokenLifetimes(access=86_400, refresh=31_536_000),
    "login_kit": TokenLifetimes(access=7_200, refresh=15_552_000),
}
"""The lifetimes that TikTok documents in November 2026."""

DOCUMENTED_CODE_SECONDS: Mapping[Family, float] = {
    "marketing": 3_600,
    "accounts": 600,
    # TikTok does not document the lifetime of a Login Kit code.
    "login_kit": 3_600,
}
MAX_REDIRECT_URIS = 10


@dataclass(frozen=True)
class App:
    """An app as its developer registered it. Empty `redirect_uris` allow every absolute URL.

    An app of family `accounts` has one active redirect URI: the first. Without a logo, its consent
    page is an error page.
    """

    id: str
    secret: str = field(repr=False)
    name: str = "An unnamed app"
    family: Family | None = None
    redirect_uris: tuple[str, ...] = ()
    webhook_url: str | None = None
    has_logo: bool = True


@dataclass(frozen=True)
class Consent:
    """The consent of a person. `family` is None if either tiktok.com flow may redeem the code."""

    app_id: str
    person: str
    family: Family | None
    scopes: tuple[str, ...] = ()
    advertisers: Mapping[str, str] = field(default_factory=dict)
    redirect_uri: str | None = None
    code_challenge: str | None = None


@dataclass
class Grant:
    """One redeemed consent. Revoking it ends every token that was issued from it."""

    family: Family
    app_id: str
    person: str
    tiktok_user_id: str
    scopes: tuple[str, ...]
    advertisers: Mapping[str, str]
    refresh_expires_at: float | None = None
    is_active: bool = True


@dataclass(frozen=True)
class IssuedTokens:
    """The tokens of one response. An expiry of `None` means until revoked."""

    grant: Grant
    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    access_expires_at: float | None = None
    refresh_expires_at: float | None = None


@dataclass(frozen=True)
class PendingWebhook:
    app: App
    url: str = field(repr=False)
    event: str
    tiktok_user_id: str | None
    content: Json
    created_at: int
    signed_at: int | None = None


class SimulatorSettings(BaseModel):
    """The settings of `/_sim/settings`. A lifetime of `None` is the documented lifetime."""

    model_config = ConfigDict(validate_assignment=True)

    access_seconds: float | None = None
    refresh_seconds: float | None = None
    rotation: Rotation = "strict"
    grace_seconds: float = 60
    refresh_window: Literal["absolute", "sliding"] = "absolute"
    code_seconds: float | None = None
    latency_ms: float = 0
    advertiser_ids_latency_ms: float = 0
    qps: float | None = None
    accounts_limits: bool = False
    numeric_ids: bool = False
    open_id_form: Literal["text", "float", "object", "long"] = "text"
    omit_expires_in: bool = False
    webhook_url: str | None = None
    resign: bool = True
    unaudited: bool = False
    publish_seconds: float = 10
    publish_polls: int = 2
    publish_fail_reason: str | None = None
    page_advertisers: int = 5
