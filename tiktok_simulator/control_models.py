"""The request bodies of the controls. A field accepts each name that a TikTok API uses for it."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

from .model import MAX_REDIRECT_URIS, Family
from .sample_data import DEFAULT_PERSON
from .webhooks import REASON_DISCONNECTED

_APP_ID_NAMES = AliasChoices("app", "id", "app_id", "client_key", "client_id", "key")


class ControlBody(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class AppBody(ControlBody):
    id: str = Field(min_length=1, validation_alias=_APP_ID_NAMES)
    secret: str = Field(validation_alias=AliasChoices("secret", "app_secret", "client_secret"))
    name: str = "An unnamed app"
    family: Family | None = None
    redirect_uris: tuple[str, ...] = Field(default=(), max_length=MAX_REDIRECT_URIS)
    has_logo: bool = True
    webhook_url: str | None = Field(
        default=None, validation_alias=AliasChoices("webhook_url", "callback_url")
    )


class AdvertiserBody(ControlBody):
    id: str = Field(validation_alias=AliasChoices("id", "advertiser_id"))
    name: str = Field(default="", validation_alias=AliasChoices("name", "advertiser_name"))


class ConsentBody(ControlBody):
    family: Family = "marketing"
    app_id: str | None = Field(default=None, validation_alias=_APP_ID_NAMES)
    scopes: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("scopes", "scope")
    )
    advertisers: int | list[AdvertiserBody | str] | None = None
    redirect_uri: str | None = None
    person: str = Field(default=DEFAULT_PERSON, validation_alias=AliasChoices("person", "user"))
    code_challenge: str | None = Field(
        default=None, validation_alias=AliasChoices("challenge", "code_challenge")
    )


class GrantSelectorBody(ControlBody):
    """Names the grants to change, by the person or by one of the tokens."""

    user_id_or_person: str | None = Field(
        default=None, validation_alias=AliasChoices("open_id", "core_user_id", "person", "user")
    )
    token: str | None = Field(
        default=None, validation_alias=AliasChoices("access_token", "refresh_token", "token")
    )


class RevokeBody(GrantSelectorBody):
    """`reason` is that of the webhook: 1 means that the person disconnected the app."""

    reason: int = Field(default=REASON_DISCONNECTED, ge=0, le=5)


class AdvertisersBody(GrantSelectorBody):
    advertisers: int | list[AdvertiserBody | str] = 0


class ClockBody(ControlBody):
    advance: float = 0


class WebhookBody(ControlBody, extra="allow"):
    """Times are seconds since the epoch, or ISO 8601 with a time zone. By default, both are now.

    Further fields become fields of `content`. The app may be missing if the person has granted access to one.
    """

    event: str = "authorization.removed"
    app_id: str | None = Field(default=None, validation_alias=_APP_ID_NAMES)
    open_id: str | None = Field(
        default=None, validation_alias=AliasChoices("open_id", "user_openid")
    )
    content: dict[str, Any] | None = None
    created_at: AwareDatetime | None = Field(
        default=None, validation_alias=AliasChoices("created_at", "create_time")
    )
    signed_at: AwareDatetime | None = None

    @property
    def all_content(self) -> dict[str, Any]:
        fields = {**(self.content or {}), **(self.model_extra or {})}
        is_default = self.content is None and not fields
        return {"reason": REASON_DISCONNECTED} if is_default else fields
