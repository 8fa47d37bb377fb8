"""What every TikTok family can say.

A family is pure: it makes requests and reads answers, and has no idea how they travel. What one
family cannot do it answers with None, and the house does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from connector.model import Account, Grant, Tokens
from connector.wire import Call, Request, Response


@dataclass(frozen=True)
class App:
    """An app registered with TikTok, and the hosts it is served from."""

    id: str
    secret: SecretStr
    api: str
    consent: str
    scopes: tuple[str, ...] = ()


class Family(Protocol):
    @property
    def app(self) -> App: ...

    @property
    def name(self) -> str:
        """The machine word: marketing, accounts, login_kit."""

    @property
    def title(self) -> str:
        """For a person: "TikTok Ads"."""

    @property
    def code_parameter(self) -> str:
        """How the redirect back names the code: read this one first, then the other."""

    @property
    def api(self) -> str:
        """Origin of the only host a call for this family may reach."""

    def authorize_url(self, *, redirect_uri: str, state: str) -> str: ...

    def exchange(self, code: str, *, redirect_uri: str) -> Call[Grant]: ...

    def refresh(self, tokens: Tokens) -> Call[Tokens] | None:
        """None where these tokens cannot be refreshed."""

    def subject(self, tokens: Tokens) -> Call[str] | None:
        """Asks who the TikTok user is; None where the exchange already said."""

    def accounts(self, tokens: Tokens, *, subject: str | None = None) -> Call[tuple[Account, ...]]:
        """With the subject, where it is known, one family can also tell the account's name."""

    def revoke(self, tokens: Tokens) -> Call[None]: ...

    def sign(self, request: Request, tokens: Tokens) -> Request: ...

    def check(self, response: Response, tokens: Tokens) -> None:
        """Raises what the envelope says went wrong, for an answer that somebody else will read."""
