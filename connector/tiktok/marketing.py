"""The Marketing API: a person gives the app access to ad accounts.

The token has no expiry and no refresh token. The token works until the person withdraws access, so a
probe checks that the token still works. One consent gives one token for all the advertisers that the person
selected. Source: the Marketing API portal's "Authentication" and the pages of the endpoints named
in the paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import SecretStr

from connector.model import Account, Grant, Tokens

from . import requests
from .family import ApiFamily, AppConfig
from .http import Call, Request, Response
from .requests import BUSINESS_API
from .responses import ParseContext, ResponseData, parse_business_response


@dataclass(frozen=True)
class MarketingApi(ApiFamily):
    app: AppConfig
    name: ClassVar[str] = "marketing"
    display_name: ClassVar[str] = "TikTok Ads"
    code_parameter: ClassVar[str] = "auth_code"
    code_lifetime: ClassVar[timedelta | None] = timedelta(hours=1)
    has_advertisers: ClassVar[bool] = True
    # False, even if a response contains a refresh token, which is then stored but not used.
    # TikTok documents no refresh for these tokens and lists the attempt as a cause of 40107, a code
    # that ends the connection: an attempt would end connections that work.
    can_refresh: ClassVar[bool] = False
    scopes_in_link: ClassVar[bool] = False
    credentials: ClassVar[Literal["app", "client"]] = "app"
    consent_url_setting: ClassVar[str] = "business_consent_url"
    api_url_setting: ClassVar[str] = "business_api_url"

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        return requests.add_query(
            self.app.consent,
            {"app_id": self.app.id, "redirect_uri": redirect_uri, "state": state},
        )

    def exchange_call(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        body = {
            **self._app_credentials(),
            "auth_code": code,
            # With True, the exchange may time out for a person with thousands of ad accounts, and
            # the code is used up. `accounts_call` returns the advertisers.
            "return_advertiser_ids": False,
        }
        context = ParseContext("exchange", (self.app.secret, SecretStr(code)), self.code_lifetime)
        return Call(
            requests.build_json_post(self.app.api, f"{BUSINESS_API}oauth2/access_token", body=body),
            lambda response: parse_business_response(response, context).grant(),
        )

    def user_id_call(self, tokens: Tokens) -> Call[str]:
        context = self._parse_context(tokens)
        return Call(
            self._get("user/info", tokens),
            # `id` is the field's former name.
            lambda response: parse_business_response(response, context).id("core_user_id", "id"),
        )

    def accounts_call(
        self, tokens: Tokens, *, tiktok_user_id: str | None = None
    ) -> Call[tuple[Account, ...]]:
        context = self._parse_context(tokens)
        return Call(
            # TikTok requires the secret in the query, so the URL is never logged.
            self._get("oauth2/advertiser/get", tokens, query=self._app_credentials()),
            lambda response: _advertisers(parse_business_response(response, context)),
        )

    def revoke_call(self, tokens: Tokens) -> Call[None]:
        body = {**self._app_credentials(), "access_token": tokens.access.get_secret_value()}
        return Call(
            requests.build_json_post(self.app.api, f"{BUSINESS_API}oauth2/revoke_token", body=body),
            lambda response: self.raise_for_error(response, tokens),
        )

    def with_credentials(self, request: Request, tokens: Tokens) -> Request:
        return requests.with_credentials(request, _token_header(tokens))

    def raise_for_error(self, response: Response, tokens: Tokens) -> None:
        parse_business_response(response, self._parse_context(tokens))

    def _get(self, path: str, tokens: Tokens, *, query: dict[str, str] | None = None) -> Request:
        return requests.build_get(
            self.app.api, f"{BUSINESS_API}{path}", query=query, headers=_token_header(tokens)
        )

    def _app_credentials(self) -> dict[str, str]:
        return {"app_id": self.app.id, "secret": self.app.secret.get_secret_value()}

    def _parse_context(self, tokens: Tokens) -> ParseContext:
        return ParseContext("call", (self.app.secret, tokens.access))


def _token_header(tokens: Tokens) -> dict[str, str]:
    # Only this header: TikTok responds with 40104 to a token in the query or as Bearer.
    return {"Access-Token": tokens.access.get_secret_value()}


def _advertisers(data: ResponseData) -> tuple[Account, ...]:
    return tuple(
        Account(id=advertiser.id("advertiser_id"), name=advertiser.display_text("advertiser_name"))
        for advertiser in data.objects("list")
    )
