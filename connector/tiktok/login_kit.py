"""Login Kit of TikTok for Developers: a person signs in with TikTok and shares a profile.

OAuth 2 with form requests and flat JSON responses. Since November 2026 refresh tokens rotate and
the previous one stops working, so the response of a refresh must never be lost:
https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import SecretStr

from connector.model import Account, Grant, Tokens

from . import requests
from .family import ApiFamily, AppConfig
from .http import Call, Request, Response
from .requests import OPEN_API
from .responses import ParseContext, ResponseData, parse_open_response


def challenge(verifier: str) -> str:
    """Returns the PKCE challenge in TikTok's form: lower-case hex, although RFC 7636 requires base64url.

    TikTok requires PKCE of desktop and mobile apps only; the web flow does not use PKCE. Source:
    TikTok's "Login Kit for Desktop".
    """
    return hashlib.sha256(verifier.encode()).hexdigest()


@dataclass(frozen=True)
class LoginKitApi(ApiFamily):
    app: AppConfig
    name: ClassVar[str] = "login_kit"
    display_name: ClassVar[str] = "TikTok"
    code_parameter: ClassVar[str] = "code"
    code_lifetime: ClassVar[timedelta | None] = None
    has_advertisers: ClassVar[bool] = False
    can_refresh: ClassVar[bool] = True
    scopes_in_link: ClassVar[bool] = True
    credentials: ClassVar[Literal["app", "client"]] = "client"
    consent_url_setting: ClassVar[str] = "consent_url"
    api_url_setting: ClassVar[str] = "open_api_url"

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        return requests.add_query(
            self.app.consent,
            {
                "client_key": self.app.id,
                "response_type": "code",
                "redirect_uri": redirect_uri,
                # https://developers.tiktok.com/doc/tiktok-api-scopes
                "scope": ",".join(self.app.scopes),
                "state": state,
            },
        )

    def exchange_call(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        """https://developers.tiktok.com/doc/oauth-get-a-user-access-token"""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        context = ParseContext("exchange", (self.app.secret, SecretStr(code)), self.code_lifetime)
        return Call(
            self._post("oauth/token", form),
            lambda response: parse_open_response(response, context).grant("open_id"),
        )

    def refresh_call(self, tokens: Tokens) -> Call[Tokens] | None:
        """https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token"""
        if tokens.refresh is None:
            return None
        refresh_token = tokens.refresh.get_secret_value()
        context = ParseContext("refresh", (self.app.secret, tokens.refresh))
        return Call(
            self._post(
                "oauth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token}
            ),
            lambda response: parse_open_response(response, context).tokens(replacing=tokens),
        )

    def accounts_call(
        self, tokens: Tokens, *, tiktok_user_id: str | None = None
    ) -> Call[tuple[Account, ...]]:
        context = self._parse_context(tokens)
        return Call(
            self._user_info_request("open_id,display_name", tokens),
            lambda response: (_profile(parse_open_response(response, context)),),
        )

    def revoke_call(self, tokens: Tokens) -> Call[None]:
        request = self._post("oauth/revoke", {"token": tokens.access.get_secret_value()})
        return Call(request, lambda response: self._parse_revocation(response, tokens))

    def with_credentials(self, request: Request, tokens: Tokens) -> Request:
        bearer = f"Bearer {tokens.access.get_secret_value()}"
        return requests.with_credentials(request, {"Authorization": bearer})

    def raise_for_error(self, response: Response, tokens: Tokens) -> None:
        parse_open_response(response, self._parse_context(tokens))

    def _parse_revocation(self, response: Response, tokens: Tokens) -> None:
        # TikTok confirms a revocation with an empty body, which has no envelope to parse.
        if response.status >= 300 or response.body.strip():
            self.raise_for_error(response, tokens)

    def _user_info_request(self, fields: str, tokens: Tokens) -> Request:
        query = {"fields": fields}
        request = requests.build_get(self.app.api, f"{OPEN_API}user/info", query=query)
        return self.with_credentials(request, tokens)

    def _post(self, path: str, form: dict[str, str]) -> Request:
        credentials = {
            "client_key": self.app.id,
            "client_secret": self.app.secret.get_secret_value(),
        }
        return requests.build_form_post(
            self.app.api, f"{OPEN_API}{path}", form={**credentials, **form}
        )

    def _parse_context(self, tokens: Tokens) -> ParseContext:
        return ParseContext("call", (self.app.secret, tokens.access))


def _profile(data: ResponseData) -> Account:
    user = data.object("user")
    return Account(id=user.id("open_id"), name=user.display_text("display_name"), kind="profile")
