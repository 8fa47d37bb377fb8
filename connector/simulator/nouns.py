"""The nouns of the simulated TikTok. Times are seconds since the epoch, by the simulator's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

Family = Literal["marketing", "accounts", "login_kit"]
Rotation = Literal["strict", "grace", "none"]
Json = dict[str, Any]

LIFETIMES: Mapping[Family, tuple[float | None, float | None]] = {
    "marketing": (None, None),
    "accounts": (86_400, 31_536_000),
    "login_kit": (7_200, 15_552_000),
}
"""Access and refresh, in seconds, as TikTok documents them in November 2026."""


@dataclass(frozen=True)
class App:
    """An app as its developer registered it. No `redirect_uris` means any will do."""

    id: str
    secret: str = field(repr=False)
    name: str = "An unnamed app"
    family: Family | None = None
    redirect_uris: tuple[str, ...] = ()
    webhook_url: str | None = None


@dataclass(frozen=True)
class Consent:
    """What a person agreed to. `family` None: whichever tiktok.com flow redeems the code."""

    app_id: str
    person: str
    family: Family | None
    scopes: tuple[str, ...] = ()
    advertisers: Mapping[str, str] = field(default_factory=dict)
    redirect_uri: str | None = None
    challenge: str | None = None


@dataclass
class Grant:
    """One redeemed consent: every token that came of it lives and dies with it."""

    family: Family
    app_id: str
    person: str
    subject: str
    scopes: tuple[str, ...]
    advertisers: Mapping[str, str]
    refresh_until: float | None = None
    alive: bool = True


@dataclass(frozen=True)
class Issued:
    """The tokens of one answer; `None` expiry means until revoked."""

    grant: Grant
    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    access_until: float | None
    refresh_until: float | None


@dataclass(frozen=True)
class Mail:
    """A webhook waiting to be sent."""

    app: App
    url: str = field(repr=False)
    event: str
    subject: str | None
    content: Json


class Settings(BaseModel):
    """What `/_sim/settings` turns. A lifetime of None means what TikTok documents."""

    model_config = ConfigDict(validate_assignment=True)

    access_seconds: float | None = None
    refresh_seconds: float | None = None
    rotation: Rotation = "strict"
    grace_seconds: float = 60
    refresh_window: Literal["absolute", "sliding"] = "absolute"
    code_seconds: float = 3_600
    latency_ms: float = 0
    advertiser_ids_latency_ms: float = 0
    qps: float | None = None
    numeric_ids: bool = False
    webhook_url: str | None = None
    publish_seconds: float = 10
    publish_polls: int = 2
    publish_fail_reason: str | None = None
    page_advertisers: int = 5


class Now(Protocol):
    def __call__(self) -> float: ...
