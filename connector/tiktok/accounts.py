"""The TikTok Accounts API: a person gives the app access to a TikTok business account.

It uses the host and the envelope of the business API, but TikTok's own consent page, and its tokens
expire. The refresh token's lifetime counts from the grant, not from the last refresh: in a recorded
pair of responses the remaining lifetime fell by exactly the seconds between them. So both expiries
are computed from each response and never reset. Source: the Marketing API portal's "TikTok
Accounts" authorization pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import SecretStr

from connector.model import Account, Grant, Tokens

from . import requests
from .family import ApiFamily, AppConfig
from .http import Call, Request, Response
from .requests import BUSINESS_API
from .responses import ParseContext, parse_business_response

# v1.2 named the field creator_id, and token_info still does.
_USER_ID_FIELDS = ("open_id", "creator_id")


@dataclass(frozen=True)
class AccountsApi(ApiFamily):
    app: AppConfig
    name: ClassVar[str] = "accounts"
    display_name: ClassVar[str] = "TikTok business account"
    code_parameter: ClassVar[str] = "code"
    code_lifetime: ClassVar[timedelta | None] = timedelta(minutes=10)
    has_advertisers: ClassVar[bool] = False
    can_refresh: ClassVar[bool] = True
    scopes_in_link: ClassVar[bool] = True
    credentials: ClassVar[Literal["app", "client"]] = "app"
    consent_url_setting: ClassVar[str] = "consent_url"
    api_url_setting: ClassVar[str] = "business_api_url"

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        return requests.add_query(
            self.app.consent,
            {
                "client_key": self.app.id,
                "response_type": "code",
                "redirect_uri": redirect_uri,
                "scope": ",".join(self.app.scopes),
                "state": state,
                # Without this parameter, TikTok sends a person who granted the same permissions
                # before back without a code. A person who has to reconnect is such a person.
                "disable_auto_auth": "1",
            },
        )

    def exchange_call(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        body = {
            **self._app_credentials(),
            "grant_type": "authorization_code",
            "auth_code": code,
            "redirect_uri": redirect_uri,
        }
        context = ParseContext("exchange", (self.app.secret, SecretStr(code)), self.code_lifetime)
        return Call(
            self._post("tt_user/oauth2/token", body),
            lambda response: parse_business_response(response, context).grant(*_USER_ID_FIELDS),
        )

    def refresh_call(self, tokens: Tokens) -> Call[Tokens] | None:
        """Stores the response's refresh token, because its rotation is undocumented."""
        if tokens.refresh is None:
            return None
        body = {
            **self._app_credentials(),
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh.get_secret_value(),
        }
        context = ParseContext("refresh", (self.app.secret, tokens.refresh))
        return Call(
            self._post("tt_user/oauth2/refresh_token", body),
            lambda response: parse_business_response(response, context).tokens(replacing=tokens),
        )

    def accounts_call(
        self, tokens: Tokens, *, tiktok_user_id: str | None = None
    ) -> Call[tuple[Account, ...]]:
        """Returns the one account. The response contains its name only if the request contains its id."""
        context = self._parse_context(tokens)
        if tiktok_user_id is None:
            return Call(
                self._token_info_request(tokens),
                lambda response: (
                    Account(
                        id=parse_business_response(response, context).id(*_USER_ID_FIELDS),
                        kind="business",
                    ),
                ),
            )
        query = {"business_id": tiktok_user_id, "fields": json.dumps(["display_name"])}
        request = requests.build_get(self.app.api, f"{BUSINESS_API}business/get", query=query)
        return Call(
            self.with_credentials(request, tokens),
            lambda response: (
                Account(
                    id=tiktok_user_id,
                    name=parse_business_response(response, context).display_text("display_name"),
                    kind="business",
                ),
            ),
        )

    def revoke_call(self, tokens: Tokens) -> Call[None]:
        body = {**self._app_credentials(), "access_token": tokens.access.get_secret_value()}
        return Call(
            self._post("tt_user/oauth2/revoke", body),
            lambda response: self.raise_for_error(response, tokens),
        )

    def with_credentials(self, request: Request, tokens: Tokens) -> Request:
        # Not as Bearer, although `token_type` is Bearer: TikTok responds to a Bearer token with 40104.
        token = tokens.access.get_secret_value()
        return requests.with_credentials(request, {"Access-Token": token})

    def raise_for_error(self, response: Response, tokens: Tokens) -> None:
        parse_business_response(response, self._parse_context(tokens))

    def _token_info_request(self, tokens: Tokens) -> Request:
        # Only this endpoint names the app app_id, as the Marketing API does.
        body = {"app_id": self.app.id, "access_token": tokens.access.get_secret_value()}
        return self._post("tt_user/token_info/get", body)

    def _post(self, path: str, body: dict[str, str]) -> Request:
        return requests.build_json_post(self.app.api, f"{BUSINESS_API}{path}", body=body)

    def _app_credentials(self) -> dict[str, str]:
        secret = self.app.secret.get_secret_value()
        return {"client_id": self.app.id, "client_secret": secret}

    def _parse_context(self, tokens: Tokens) -> ParseContext:
        return ParseContext("call", (self.app.secret, tokens.access))
