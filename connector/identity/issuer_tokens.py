"""Verifies the tokens that further OpenID Connect issuers (Clerk, Auth0, Firebase, Keycloak) issue to users.

The unverified `iss` only selects one of the configured issuers. The token must then be signed with a key
that this issuer publishes: each issuer has its own `DiscoveredKeys`, so the key of one issuer never
verifies the token of another one, and an issuer that is down delays only its own users. Some issuers sign
the tokens of all their customers with the same keys (Firebase), so `iss` is compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal

from .claims import SIGNATURE_ONLY, has_audience, read_principal, sign_in_error
from .discovery import DiscoveredKeys
from .jwks import PUBLIC_KEY_ALGORITHMS


@dataclass(frozen=True)
class JwtIssuer:
    issuer: str
    """The exact text of `iss`, with or without a slash at its end."""

    audience: str | None = None
    """None means that `aud` is not checked."""


class IssuerTokens:
    """Verifies the tokens of one issuer."""

    def __init__(self, issuer: JwtIssuer, *, clock: Clock) -> None:
        self.issuer = issuer.issuer
        self._audience = issuer.audience
        self._keys = DiscoveredKeys(issuer.issuer, clock=clock)
        self._clock = clock

    async def verify(self, token: str) -> Principal:
        try:
            key = await self._verification_key(jwt.get_unverified_header(token))
            claims = jwt.decode(token, key, algorithms=[key.algorithm_name], options=SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated(
                "This user's token is damaged or was not signed by its issuer."
            ) from None
        if message := self._claims_error(claims):
            raise Unauthenticated(message)
        return read_principal(claims, self._clock.now().timestamp())

    async def fetch_error(self) -> str | None:
        """Returns why the keys of the issuer cannot be fetched now."""
        return await self._keys.fetch_error()

    async def close(self) -> None:
        await self._keys.close()

    async def _verification_key(self, header: dict[str, Any]) -> jwt.PyJWK:
        """A shared secret never verifies a token: anybody can read the published keys."""
        if header.get("alg") not in PUBLIC_KEY_ALGORITHMS:
            raise Unauthenticated(
                f"A token of {self.issuer} must be signed with one of "
                f"{', '.join(PUBLIC_KEY_ALGORITHMS)}."
            )
        key_id = header.get("kid")
        key = await self._keys.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise Unauthenticated(
                f"This user's token is signed with a key that {self.issuer} does not publish."
            )
        return key

    def _claims_error(self, claims: dict[str, Any]) -> str | None:
        if claims.get("iss") != self.issuer:
            return f"This user's token was not issued by {self.issuer}."
        if message := sign_in_error(claims, self._clock.now().timestamp()):
            return message
        if self._audience is not None and not has_audience(claims, self._audience):
            return f"This user's token is for another application: its aud is not {self._audience}."
        return None


def unverified_issuer(token: str) -> str | None:
    """Returns what the token says about its issuer. Anybody can write such a token."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return issuer if isinstance(issuer, str) else None
