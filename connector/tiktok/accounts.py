"""The TikTok Accounts API: a person lets the app into their TikTok account, as a business.

It lives on the business API's host and speaks its grammar, but its consent page is TikTok's own, and
its tokens expire. The refresh window looks absolute: a recorded refresh had less of it left than the
grant, so both expiries are taken from each answer and never reset. Source: the Marketing API
portal's "TikTok Accounts" authorization pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from connector.model import Account, Grant, Tokens
from connector.wire import Call, Request, Response

from . import question
from .envelope import Asked, read_business
from .family import App
from .question import BUSINESS_API

# v1.2 called it creator_id, and token_info still does.
_OPEN_ID = ("open_id", "creator_id")


@dataclass(frozen=True)
class Accounts:
    app: App
    name: ClassVar[str] = "accounts"
    title: ClassVar[str] = "TikTok business account"
    code_parameter: ClassVar[str] = "code"

    @property
    def api(self) -> str:
        return self.app.api

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        return question.link(
            self.app.consent,
            {
                "client_key": self.app.id,
                "response_type": "code",
                "redirect_uri": redirect_uri,
                "scope": ",".join(self.app.scopes),
                "state": state,
            },
        )

    def exchange(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        body = {
            **self._credentials(),
            "grant_type": "authorization_code",
            "auth_code": code,
            "redirect_uri": redirect_uri,
        }
        asked = Asked("exchange", (self._secret, code))
        return Call(
            self._post("tt_user/oauth2/token", body),
            lambda response: read_business(response, asked).grant(*_OPEN_ID),
        )

    def refresh(self, tokens: Tokens) -> Call[Tokens] | None:
        """Whether the refresh token rotates is not documented: what comes back is what is kept."""
        if tokens.refresh is None:
            return None
        refresh = tokens.refresh.get_secret_value()
        body = {
            **self._credentials(),
            "grant_type": "refresh_token",
            "refresh_token": refresh,
        }
        asked = Asked("refresh", (self._secret, refresh))
        return Call(
            self._post("tt_user/oauth2/refresh_token", body),
            lambda response: read_business(response, asked).tokens(replacing=tokens),
        )

    def subject(self, tokens: Tokens) -> None:
        return None

    def accounts(self, tokens: Tokens, *, subject: str | None = None) -> Call[tuple[Account, ...]]:
        """The one account. Its name is told only to those who know its id."""
        asked = self._asked(tokens)
        if subject is None:
            return Call(
                self._token_info(tokens),
                lambda response: (
                    Account(
                        id=read_business(response, asked).identifier(*_OPEN_ID), kind="business"
                    ),
                ),
            )
        query = {"business_id": subject, "fields": json.dumps(["display_name"])}
        request = question.get(self.api, f"{BUSINESS_API}business/get", query, headers={})
        return Call(
            self.sign(request, tokens),
            lambda response: (
                Account(
                    id=subject,
                    name=read_business(response, asked).label("display_name"),
                    kind="business",
                ),
            ),
        )

    def revoke(self, tokens: Tokens) -> Call[None]:
        body = {**self._credentials(), "access_token": tokens.access.get_secret_value()}
        return Call(
            self._post("tt_user/oauth2/revoke", body),
            lambda response: self.check(response, tokens),
        )

    def sign(self, request: Request, tokens: Tokens) -> Request:
        # Not as Bearer, whatever `token_type` says: that is answered 40104.
        return question.signed(request, {"Access-Token": tokens.access.get_secret_value()})

    def check(self, response: Response, tokens: Tokens) -> None:
        read_business(response, self._asked(tokens))

    def _token_info(self, tokens: Tokens) -> Request:
        # Here alone the app is called app_id, as in the Marketing API.
        body = {"app_id": self.app.id, "access_token": tokens.access.get_secret_value()}
        return self._post("tt_user/token_info/get", body)

    def _post(self, path: str, body: dict[str, str]) -> Request:
        return question.post_json(self.api, f"{BUSINESS_API}{path}", body)

    def _credentials(self) -> dict[str, str]:
        return {"client_id": self.app.id, "client_secret": self._secret}

    @property
    def _secret(self) -> str:
        return self.app.secret.get_secret_value()

    def _asked(self, tokens: Tokens) -> Asked:
        return Asked("call", (self._secret, tokens.access.get_secret_value()))
