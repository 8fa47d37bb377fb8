"""Login Kit, of TikTok for Developers: a person signs in with TikTok and lends the app their profile.

OAuth 2 in forms and flat answers. Since November 2026 refresh tokens rotate and the one before dies,
so a refresh answer must never be lost:
https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from connector.model import Account, Grant, Tokens
from connector.wire import Call, Request, Response

from . import question
from .envelope import Answer, Asked, read_open
from .family import App
from .question import OPEN_API


def challenge(verifier: str) -> str:
    """PKCE as TikTok has it: lower-case hex, where RFC 7636 has base64url.

    Asked for from desktop and mobile apps only; the web flow, which is ours, has no PKCE. Source:
    TikTok's "Login Kit for Desktop".
    """
    return hashlib.sha256(verifier.encode()).hexdigest()


@dataclass(frozen=True)
class LoginKit:
    app: App
    name: ClassVar[str] = "login_kit"
    title: ClassVar[str] = "TikTok"
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
                # https://developers.tiktok.com/doc/tiktok-api-scopes
                "scope": ",".join(self.app.scopes),
                "state": state,
            },
        )

    def exchange(self, code: str, *, redirect_uri: str) -> Call[Grant]:
        """https://developers.tiktok.com/doc/oauth-get-a-user-access-token"""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        asked = Asked("exchange", (self._secret, code))
        return Call(
            self._post("oauth/token", form),
            lambda response: read_open(response, asked).grant("open_id"),
        )

    def refresh(self, tokens: Tokens) -> Call[Tokens] | None:
        """https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token"""
        if tokens.refresh is None:
            return None
        refresh = tokens.refresh.get_secret_value()
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        asked = Asked("refresh", (self._secret, refresh))
        return Call(
            self._post("oauth/token", form),
            lambda response: read_open(response, asked).tokens(replacing=tokens),
        )

    def subject(self, tokens: Tokens) -> None:
        return None

    def accounts(self, tokens: Tokens, *, subject: str | None = None) -> Call[tuple[Account, ...]]:
        asked = self._asked(tokens)
        return Call(
            self._user_info("open_id,display_name", tokens),
            lambda response: (_profile(read_open(response, asked)),),
        )

    def revoke(self, tokens: Tokens) -> Call[None]:
        request = self._post("oauth/revoke", {"token": tokens.access.get_secret_value()})
        return Call(request, lambda response: self._revoked(response, tokens))

    def sign(self, request: Request, tokens: Tokens) -> Request:
        bearer = f"Bearer {tokens.access.get_secret_value()}"
        return question.signed(request, {"Authorization": bearer})

    def check(self, response: Response, tokens: Tokens) -> None:
        read_open(response, self._asked(tokens))

    def _revoked(self, response: Response, tokens: Tokens) -> None:
        # Success is an empty body, so an answer that has none has nothing to read.
        if response.status >= 300 or response.body.strip():
            self.check(response, tokens)

    def _user_info(self, fields: str, tokens: Tokens) -> Request:
        request = question.get(self.api, f"{OPEN_API}user/info", {"fields": fields}, headers={})
        return self.sign(request, tokens)

    def _post(self, path: str, form: dict[str, str]) -> Request:
        credentials = {"client_key": self.app.id, "client_secret": self._secret}
        return question.post_form(self.api, f"{OPEN_API}{path}", {**credentials, **form})

    @property
    def _secret(self) -> str:
        return self.app.secret.get_secret_value()

    def _asked(self, tokens: Tokens) -> Asked:
        return Asked("call", (self._secret, tokens.access.get_secret_value()))


def _profile(answer: Answer) -> Account:
    user = answer.under("user")
    return Account(id=user.identifier("open_id"), name=user.label("display_name"), kind="profile")
