"""What the controls are given, in any spelling one of TikTok's own APIs uses for the same thing."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from .nouns import Family
from .people import DEFAULT

APP_NAMES = AliasChoices("app", "id", "app_id", "client_key", "client_id", "key")


class Given(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class AppGiven(Given):
    id: str = Field(min_length=1, validation_alias=APP_NAMES)
    secret: str = Field(validation_alias=AliasChoices("secret", "app_secret", "client_secret"))
    name: str = "An unnamed app"
    family: Family | None = None
    redirect_uris: tuple[str, ...] = ()
    webhook_url: str | None = Field(
        default=None, validation_alias=AliasChoices("webhook_url", "callback_url")
    )


class AdvertiserGiven(Given):
    id: str = Field(validation_alias=AliasChoices("id", "advertiser_id"))
    name: str = Field(default="", validation_alias=AliasChoices("name", "advertiser_name"))


class ConsentGiven(Given):
    family: Family = "marketing"
    app: str | None = Field(default=None, validation_alias=APP_NAMES)
    scopes: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("scopes", "scope")
    )
    advertisers: int | list[AdvertiserGiven | str] | None = None
    redirect_uri: str | None = None
    person: str = Field(default=DEFAULT, validation_alias=AliasChoices("person", "user"))
    challenge: str | None = Field(
        default=None, validation_alias=AliasChoices("challenge", "code_challenge")
    )


class WhoseGiven(Given):
    subject: str | None = Field(
        default=None, validation_alias=AliasChoices("open_id", "core_user_id", "person", "user")
    )
    token: str | None = Field(
        default=None, validation_alias=AliasChoices("access_token", "refresh_token", "token")
    )
    advertisers: int | list[AdvertiserGiven | str] = 0


class ClockGiven(Given):
    advance: float = 0


class NoticeGiven(Given):
    event: str = "authorization.removed"
    app: str | None = Field(default=None, validation_alias=APP_NAMES)
    open_id: str | None = None
    content: dict[str, Any] = Field(default_factory=lambda: {"reason": 1})
