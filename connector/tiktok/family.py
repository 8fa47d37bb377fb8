"""The protocol that every API family implements.

A family is pure: it builds calls and parses responses, and `TikTokClient` sends them. The class
variables of a family describe how it differs from the other families. No other module compares a
family's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, Protocol

from pydantic import SecretStr

from connector.model import Account, Grant, Tokens

from .http import Call, Request, Response


@dataclass(frozen=True)
class AppConfig:
    """An app registered with TikTok, and the addresses of the API and of the consent page."""

    id: str
    secret: SecretStr
    api: str
    consent: str
    scopes: tuple[str, ...] = ()


class ApiFamily(Protocol):
    """Families inherit from this protocol: mypy then reports a family that lacks a member."""

    app: AppConfig

    name: ClassVar[str]
    """The family's name in the service's API and database: marketing, accounts, login_kit."""
    display_name: ClassVar[str]
    """The family's name for people: "TikTok Ads"."""
    code_parameter: ClassVar[str]
    """The callback parameter that contains the code. This name has precedence over the other name."""
    code_lifetime: ClassVar[timedelta | None]
    """How long a code can be redeemed. None if TikTok does not say."""
    has_advertisers: ClassVar[bool]
    """True if the accounts are ad accounts, of which a person selects one."""
    can_refresh: ClassVar[bool]
    """True if TikTok renews these tokens. Otherwise a probe checks that a token still works."""
    scopes_in_link: ClassVar[bool]
    """True if the consent link names the scopes. Otherwise the app's settings at TikTok name them."""
    credentials: ClassVar[Literal["app", "client"]]
    """Selects the settings `app_id`, `app_secret` or the settings `client_key`, `client_secret`."""
    consent_url_setting: ClassVar[str]
    """The field of `Settings` with the address of the consent page."""
    api_url_setting: ClassVar[str]
    """The field of `Settings` with the origin of the API."""

    def authorize_url(self, *, redirect_uri: str, state: str) -> str: ...

    def exchange_call(self, code: str, *, redirect_uri: str) -> Call[Grant]: ...

    def refresh_call(self, tokens: Tokens) -> Call[Tokens] | None:
        """Returns None if these tokens cannot be refreshed."""
        return None

    def user_id_call(self, tokens: Tokens) -> Call[str] | None:
        """Returns None if the grants of this family name the TikTok user."""
        return None

    def accounts_call(
        self, tokens: Tokens, *, tiktok_user_id: str | None = None
    ) -> Call[tuple[Account, ...]]:
        """TikTok Accounts returns the account's name only if the request has the user id."""

    def revoke_call(self, tokens: Tokens) -> Call[None]: ...

    def with_credentials(self, request: Request, tokens: Tokens) -> Request: ...

    def raise_for_error(self, response: Response, tokens: Tokens) -> None:
        """Raises the error in the envelope, if any. The caller reads the rest of the response."""
