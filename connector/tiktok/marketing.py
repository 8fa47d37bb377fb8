"""The Marketing API: a person lets the app into their ad accounts.

The token has no clock and no refresh: it lives until the person takes it back, so its health is
probed. One consent gives one token for all the advertisers that were ticked. Source: the Marketing
API portal's "Authentication" and the pages of the endpoints named in the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from connector.errors import TokenRejected
from connector.model import Account, Grant, Tokens
from connector.wire import Call, Request, Response

from . import question
from .envelope import Answer, Asked, read_business
from .family import App
from .question import BUSINESS_API

_ALREADY_REVOKED = 40105


@dataclass(frozen=True)
class Marketing:
    app: App
    name: ClassVar[str] = "marketing"
    title: ClassVar[str] = "TikTok Ads"
    code_parameter: ClassVar[str] = "auth_code"

    @property
    def api(self) -> str:
        return self.app.api

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        # No scope: what is asked for stands in the app's settings at TikTok.
        return question.link(
            self.app.consent,
            {"app_id": self.app.id, "redirect_uri": redirect_uri, "state": state},
        )

    def exchange(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        body = {
            **self._credentials(),
            "auth_code": code,
            # Left on, an exchange for someone with thousands of ad accounts may time out, and the
            # code is then spent for nothing. We ask for the advertisers by themselves anyway.
            "return_advertiser_ids": False,
        }
        asked = Asked("exchange", (self._secret, code))
        return Call(
            question.post_json(self.api, f"{BUSINESS_API}oauth2/access_token", body),
            lambda response: read_business(response, asked).grant(),
        )

    def refresh(self, tokens: Tokens) -> None:
        """Never, even if an answer should one day hold a refresh token (it is kept, as is an expiry).

        TikTok documents no refresh for these tokens, and names the attempt as a cause of 40107, a
        definite word: guessing at it would end connections that are well.
        """

    def subject(self, tokens: Tokens) -> Call[str]:
        asked = self._asked(tokens)
        return Call(
            self._get("user/info", tokens),
            # `id` is what the field was called before.
            lambda response: read_business(response, asked).identifier("core_user_id", "id"),
        )

    def accounts(self, tokens: Tokens, *, subject: str | None = None) -> Call[tuple[Account, ...]]:
        asked = self._asked(tokens)
        # The secret travels in the query because TikTok wants it there: the URL is never logged.
        return Call(
            self._get("oauth2/advertiser/get", tokens, self._credentials()),
            lambda response: _advertisers(read_business(response, asked)),
        )

    def revoke(self, tokens: Tokens) -> Call[None]:
        body = {**self._credentials(), "access_token": tokens.access.get_secret_value()}
        request = question.post_json(self.api, f"{BUSINESS_API}oauth2/revoke_token", body)
        return Call(request, lambda response: self._revoked(response, tokens))

    def sign(self, request: Request, tokens: Tokens) -> Request:
        return question.signed(request, _credential(tokens))

    def check(self, response: Response, tokens: Tokens) -> None:
        read_business(response, self._asked(tokens))

    def _revoked(self, response: Response, tokens: Tokens) -> None:
        try:
            self.check(response, tokens)
        except TokenRejected as error:
            if error.said is None or error.said.code != _ALREADY_REVOKED:
                raise

    def _get(self, path: str, tokens: Tokens, query: dict[str, str] | None = None) -> Request:
        return question.get(self.api, f"{BUSINESS_API}{path}", query, headers=_credential(tokens))

    def _credentials(self) -> dict[str, str]:
        return {"app_id": self.app.id, "secret": self._secret}

    @property
    def _secret(self) -> str:
        return self.app.secret.get_secret_value()

    def _asked(self, tokens: Tokens) -> Asked:
        return Asked("call", (self._secret, tokens.access.get_secret_value()))


def _credential(tokens: Tokens) -> dict[str, str]:
    # This header alone: a token in the query, or as Bearer, is answered 40104.
    return {"Access-Token": tokens.access.get_secret_value()}


def _advertisers(answer: Answer) -> tuple[Account, ...]:
    return tuple(
        Account(id=each.identifier("advertiser_id"), name=each.label("advertiser_name"))
        for each in answer.each("list")
    )
