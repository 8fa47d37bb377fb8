"""Verifies the access tokens (JWTs) that a Supabase project issues to its users.

The key decides which algorithm may verify a token. The token itself never decides. The shared secret
verifies HS256, and a published key verifies only its own algorithm. The project's own API keys are JWTs too, signed
with the same secret as its users' tokens. They are rejected by the role that they contain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from pydantic import SecretStr

from connector.clock import Clock
from connector.errors import CredentialsExpired, InvalidRequest, Unauthenticated
from connector.model import Principal, parse_user_id

from .jwks import PUBLIC_KEY_ALGORITHMS, JwksCache

MAX_TOKEN_LENGTH = 8192
MAX_EXPIRY = 32_503_680_000
"""The year 3000. An expiry may be any number, but a datetime may not."""

CLOCK_LEEWAY_SECONDS = 10
AUDIENCE = "authenticated"
SHARED_SECRET_ALGORITHM = "HS256"  # noqa: S105 - the name of an algorithm
PUBLISHABLE_KEY_PREFIX = "sb_publishable_"
PROJECT_KEY_MESSAGE = (
    "This is a key of the project itself, not a user's token. "
    "A server authenticates with one of CONNECTOR_API_KEYS."
)
SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT would check the claims with the clock of the machine. `_claims_error` uses the `Clock`."""


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
        if self._is_expired(claims):
            raise CredentialsExpired("This user's token has expired. Sign in again.")
        try:
            user_id = parse_user_id(claims.get("sub"), field="sub")
        except InvalidRequest as error:
            raise Unauthenticated(
                f"This user's token contains no valid user id: {error.message}"
            ) from None
        expires_at = datetime.fromtimestamp(min(claims["exp"], MAX_EXPIRY), UTC)
        return Principal("user", "user", user_id, expires_at=expires_at)

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

    def _is_expired(self, claims: dict[str, Any]) -> bool:
        expires_at = _numeric_claim(claims, "exp", default=math.nan)
        return not self._clock.now().timestamp() < expires_at + CLOCK_LEEWAY_SECONDS

    def _claims_error(self, claims: dict[str, Any]) -> str | None:
        now = self._clock.now().timestamp()
        if claims.get("role") in ("service_role", "anon"):
            return PROJECT_KEY_MESSAGE
        if claims.get("is_anonymous") not in (None, False):
            return "An anonymous sign-in cannot connect TikTok. Sign in with an account first."
        starts = [_numeric_claim(claims, name, default=now) for name in ("nbf", "iat")]
        if not all(start <= now + CLOCK_LEEWAY_SECONDS for start in starts):
            return "This user's token is not valid yet. Check the clocks of both machines."
        audience = claims.get("aud")
        if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
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


def _numeric_claim(claims: dict[str, Any], name: str, *, default: float) -> float:
    """Returns NaN if the claim is not a finite number: NaN is neither before nor after any time."""
    value = claims.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and value < math.inf else math.nan
