"""Finds the principal that sent a request: the customer's server or one of its users.

A server sends an API key; a user sends a Supabase token or a ticket.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from pydantic import SecretStr

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal

from .jwks import JwksCache
from .supabase_tokens import (
    MAX_TOKEN_LENGTH,
    PROJECT_KEY_MESSAGE,
    SupabaseTokens,
    is_public_project_key,
)
from .tickets import PREFIX as TICKET_PREFIX
from .tickets import Tickets


class Authenticator:
    def __init__(
        self,
        *,
        api_keys: tuple[SecretStr, ...],
        ticket_keys: tuple[bytes, ...],
        jwt_secret: SecretStr | None,
        jwks: JwksCache | None,
        issuer: str | None,
        clock: Clock,
    ) -> None:
        digests = [_digest(key.get_secret_value()) for key in api_keys]
        self._api_keys = {
            f"server key {number}": digest for number, digest in enumerate(digests, start=1)
        }
        self.tickets = Tickets(ticket_keys, api_keys=self._api_keys, clock=clock)
        self._supabase_tokens = SupabaseTokens(
            jwt_secret=jwt_secret, jwks=jwks, issuer=issuer, clock=clock
        )

    async def authenticate(
        self, authorization: str | None, x_api_key: str | None
    ) -> Principal | None:
        """Returns None if neither header was sent."""
        if authorization and x_api_key:
            raise Unauthenticated(
                "Two credentials were sent: send either Authorization or X-API-Key, not both."
            )
        if x_api_key:
            principal = self._match_api_key(x_api_key.strip())
            if principal is None:
                raise Unauthenticated("This API key is not valid.")
            return principal
        if authorization:
            return await self._authenticate_bearer(authorization)
        return None

    async def _authenticate_bearer(self, authorization: str) -> Principal:
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_LENGTH:
            raise Unauthenticated(
                "The Authorization header must be the word Bearer, a space, and one token."
            )
        if server := self._match_api_key(token):
            return server
        if token.startswith(TICKET_PREFIX):
            return self.tickets.verify(token)
        if is_public_project_key(authorization):
            raise Unauthenticated(PROJECT_KEY_MESSAGE)
        if token.count(".") == 2:
            return await self._supabase_tokens.verify(token)
        raise Unauthenticated("This token is not an API key, a ticket or a user's token.")

    def _match_api_key(self, api_key: str) -> Principal | None:
        """Compares with every key in constant time, so that the duration reveals nothing."""
        digest = _digest(api_key)
        names = [
            name for name, stored in self._api_keys.items() if hmac.compare_digest(digest, stored)
        ]
        return Principal("server", names[0]) if names else None


def _digest(text: str) -> bytes:
    """Digests have equal lengths. A header may contain bytes that are not valid UTF-8."""
    return sha256(text.encode(errors="surrogatepass")).digest()
