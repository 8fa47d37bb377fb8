"""Finds the principal that sent a request: the customer's server or one of its users.

A server sends an API key; a user sends a ticket, or a token of Supabase or of another configured issuer.
"""

from __future__ import annotations

from pydantic import SecretStr

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal

from .api_keys import ApiKey, ApiKeys
from .issuer_tokens import IssuerTokens, unverified_issuer
from .jwks import JwksCache
from .supabase_tokens import (
    MAX_TOKEN_LENGTH,
    PROJECT_KEY_MESSAGE,
    SupabaseTokens,
    is_public_project_key,
)
from .tickets import PREFIX as TICKET_PREFIX
from .tickets import Tickets, server_principal


class Authenticator:
    def __init__(
        self,
        *,
        api_keys: tuple[ApiKey, ...],
        ticket_keys: tuple[bytes, ...],
        jwt_secret: SecretStr | None,
        jwks: JwksCache | None,
        issuer: str | None,
        clock: Clock,
        other_issuers: tuple[IssuerTokens, ...] = (),
    ) -> None:
        """`issuer` is the Supabase project. Without `other_issuers`, every token goes to the project."""
        self._api_keys = ApiKeys(api_keys)
        self.tickets = Tickets(ticket_keys, api_keys=self._api_keys, clock=clock)
        self._supabase_tokens = SupabaseTokens(
            jwt_secret=jwt_secret, jwks=jwks, issuer=issuer, clock=clock
        )
        self._has_supabase = jwt_secret is not None or jwks is not None
        self._supabase_issuer = issuer
        self._other_issuers = {tokens.issuer: tokens for tokens in other_issuers}
        self._jwks = jwks

    async def close(self) -> None:
        """Closes the connections over which the issuers' keys were fetched."""
        if self._jwks is not None:
            await self._jwks.close()
        for tokens in self._other_issuers.values():
            await tokens.close()

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
            return await self._verify_user_token(token)
        raise Unauthenticated("This token is not an API key, a ticket or a user's token.")

    async def _verify_user_token(self, token: str) -> Principal:
        if not self._other_issuers:
            return await self._supabase_tokens.verify(token)
        issuer = unverified_issuer(token)
        if issuer in self._other_issuers:
            return await self._other_issuers[issuer].verify(token)
        if self._has_supabase and self._supabase_issuer in (None, issuer):
            return await self._supabase_tokens.verify(token)
        raise Unauthenticated(
            "This user's token was issued by none of the configured issuers. Its iss must be exactly "
            "as in CONNECTOR_JWT_ISSUERS, with or without a slash at the end."
        )

    def _match_api_key(self, text: str) -> Principal | None:
        api_key = self._api_keys.find(text)
        return None if api_key is None else server_principal(api_key)
