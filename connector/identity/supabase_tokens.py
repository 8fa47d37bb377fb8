"""Verifies the access tokens (JWTs) that a Supabase project issues to its users.

The key decides which algorithm may verify a token. The token itself never decides. The shared secret
verifies HS256, and a published key verifies only its own algorithm. The project's own API keys are JWTs too, signed
with the same secret as its users' tokens. They are rejected by the role that they contain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr

from connector.clock import Clock
from connector.errors import Unauthenticated
from connector.model import Principal

from .claims import SIGNATURE_ONLY, has_audience, read_principal, sign_in_error
from .jwks import PUBLIC_KEY_ALGORITHMS, JwksCache

MAX_TOKEN_LENGTH = 8192
AUDIENCE = "authenticated"
SHARED_SECRET_ALGORITHM = "HS256"  # noqa: S105 - the name of an algorithm
PUBLISHABLE_KEY_PREFIX = "sb_publishable_"
PROJECT_KEY_MESSAGE = (
    "This is a key of the project itself, not a user's token. "
    "A server authenticates with one of CONNECTOR_API_KEYS."
)


@dataclass(frozen=True)
class VerificationKey:
    """A key, and the only algorithm that may be used with it."""

    key: Any
    algorithm: str


class SupabaseTokens:
    def __init__(
        self,
        *,
        jwt_secret: SecretStr | None,
        jwks: JwksCache | None,
        issuer: str | None,
        clock: Clock,
    ) -> None:
        """Without an `issuer`, only the project's secret is configured and `iss` is not checked."""
        self._jwt_secret = jwt_secret
        self._jwks = jwks
        self._issuer = issuer
        self._clock = clock

    async def verify(self, token: str) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
            verification = await self._verification_key(header.get("alg"), header.get("kid"))
            claims = jwt.decode(
                token,
                verification.key,
                algorithms=[verification.algorithm],
                options=SIGNATURE_ONLY,
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthenticated(
                "This user's token is damaged or was not signed by this project."
            ) from None
        if message := self._claims_error(claims):
            raise Unauthenticated(message)
        return read_principal(claims, self._clock.now().timestamp())

    async def _verification_key(self, algorithm: object, key_id: object) -> VerificationKey:
        if algorithm == SHARED_SECRET_ALGORITHM:
            if self._jwt_secret is None:
                raise Unauthenticated(
                    "Users' tokens that are signed with HS256 need SUPABASE_JWT_SECRET to be set."
                )
            return VerificationKey(self._jwt_secret.get_secret_value(), SHARED_SECRET_ALGORITHM)
        if algorithm not in PUBLIC_KEY_ALGORITHMS:
            raise Unauthenticated(
                f"A user's token must be signed with {SHARED_SECRET_ALGORITHM} or one of "
                f"{', '.join(PUBLIC_KEY_ALGORITHMS)}."
            )
        if self._jwks is None:
            raise Unauthenticated(
                "Users' tokens that are signed with a published key need SUPABASE_URL to be set."
            )
        key = await self._jwks.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise Unauthenticated(
                "This user's token is signed with a key that the project does not publish."
            )
        return VerificationKey(key, key.algorithm_name)

    def _claims_error(self, claims: dict[str, Any]) -> str | None:
        if claims.get("role") in ("service_role", "anon"):
            return PROJECT_KEY_MESSAGE
        if message := sign_in_error(claims, self._clock.now().timestamp()):
            return message
        if not has_audience(claims, AUDIENCE):
            return f"This token is not for signed-in users: its aud is not {AUDIENCE}."
        if self._issuer and claims.get("iss") != self._issuer:
            return f"This user's token was issued by another project than {self._issuer}."
        return None


def is_public_project_key(authorization: str | None) -> bool:
    """Returns whether the header has the project's anon or publishable key, which every visitor knows.

    The signature is not verified, because the key grants nothing, forged or not.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > MAX_TOKEN_LENGTH:
        return False
    if token.startswith(PUBLISHABLE_KEY_PREFIX):
        return True
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False
    return claims.get("role") == "anon"
