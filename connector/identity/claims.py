"""Checks the claims of a user's token (a JWT) of any issuer, after its signature was verified."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from connector.errors import CredentialsExpired, InvalidRequest, Unauthenticated
from connector.model import Principal, parse_user_id

MAX_EXPIRY = 32_503_680_000
"""The year 3000. An expiry may be any number, but a datetime may not."""

CLOCK_LEEWAY_SECONDS = 10
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
"""PyJWT would check the claims with the clock of the machine. `sign_in_error` uses the `Clock`."""


def sign_in_error(claims: dict[str, Any], now: float) -> str | None:
    """Returns why the token is no valid sign-in. Audience, issuer and expiry are not checked."""
    if _is_anonymous(claims):
        return "An anonymous sign-in cannot connect TikTok. Sign in with an account first."
    starts = [_numeric_claim(claims, name, default=now) for name in ("nbf", "iat")]
    if not all(start <= now + CLOCK_LEEWAY_SECONDS for start in starts):
        return "This user's token is not valid yet. Check the clocks of both machines."
    return None


def has_audience(claims: dict[str, Any], audience: str) -> bool:
    value = claims.get("aud")
    return audience in (value if isinstance(value, list) else [value])


def read_principal(claims: dict[str, Any], now: float) -> Principal:
    """Call this after all other checks. Its error for an expired token means that everything else is valid,
    so the limiter of wrong credentials does not count the token."""
    if not now < _numeric_claim(claims, "exp", default=math.nan) + CLOCK_LEEWAY_SECONDS:
        raise CredentialsExpired("This user's token has expired. Sign in again.")
    try:
        user_id = parse_user_id(claims.get("sub"), field="sub")
    except InvalidRequest as error:
        raise Unauthenticated(
            f"This user's token contains no valid user id: {error.message}"
        ) from None
    expires_at = datetime.fromtimestamp(min(claims["exp"], MAX_EXPIRY), UTC)
    return Principal("user", "user", user_id, expires_at=expires_at)


def _is_anonymous(claims: dict[str, Any]) -> bool:
    """Supabase sets `is_anonymous`; Firebase names the provider of the sign-in."""
    firebase = claims.get("firebase")
    provider = firebase.get("sign_in_provider") if isinstance(firebase, dict) else None
    return claims.get("is_anonymous") not in (None, False) or provider == "anonymous"


def _numeric_claim(claims: dict[str, Any], name: str, *, default: float) -> float:
    """Returns NaN if the claim is not a finite number: NaN is neither before nor after any time."""
    value = claims.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and value < math.inf else math.nan
