"""Maps TikTok's error codes to errors of the service, for all families.

A mapping is an error class, the message for a person, and the delay before a retry. The rules:

- Only a definite code ends a connection (`ReconnectRequired`): `invalid_grant` on a refresh, 40103,
  40107. 40102 and 40105 reject the access token (`AccessTokenRejected`). As the response to a
  refresh, or to the probe of a token that cannot be refreshed, they also end the connection: see
  `TokenOperations.execute`. As the response to a revocation they confirm the revocation.
- 40106 ends a connection only if a second call agrees (`GrantInDoubt`): TikTok also sends 40106 if the
  token does not fit the advertiser.
- The same code means different things in different calls, so the purpose of the call is an
  argument.
- An unlisted code is mapped by its range: for 4xxxx the same call fails again, for 5xxxx and 6xxxx
  a retry may succeed.

Sources: the Marketing API portal's "Return codes" and the official SDK's tiktok_code.py; for TikTok
for Developers https://developers.tiktok.com/doc/oauth-error-handling and
https://developers.tiktok.com/doc/tiktok-api-v2-error-handling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from connector.errors import (
    AccessTokenExpired,
    AccessTokenRejected,
    CodeSpent,
    ConfigurationError,
    GrantInDoubt,
    PermissionMissing,
    RateLimited,
    ReconnectRequired,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    UnreadableResponse,
)

Purpose = Literal["exchange", "refresh", "call"]


@dataclass(frozen=True)
class ErrorMapping:
    error: type[TikTokError]
    message: str
    retry_after: float | None = None


CONNECTION_ENDED = ErrorMapping(
    ReconnectRequired, "TikTok has ended this connection. Connect the TikTok account again."
)
GRANT_IN_DOUBT = ErrorMapping(
    GrantInDoubt,
    "TikTok reports that the token does not fit this account. If this error persists, connect the "
    "TikTok account again.",
)
TOKEN_REJECTED = ErrorMapping(
    AccessTokenRejected,
    "TikTok no longer accepts the access token. If this error persists, connect the TikTok account "
    "again.",
)
TOKEN_EXPIRED = replace(TOKEN_REJECTED, error=AccessTokenExpired)
CODE_REJECTED = ErrorMapping(
    CodeSpent,
    "TikTok no longer accepts this authorization code: it was used before, has expired, or belongs "
    "to another kind of sign-in. Connect again.",
)
APP_OR_CODE_REJECTED = ErrorMapping(
    ConfigurationError,
    "TikTok does not accept the app id or secret for this code. The operator should check "
    "TIKTOK_APP_ID and TIKTOK_APP_SECRET; if both are right, connect again.",
)
EXCHANGE_REJECTED = ErrorMapping(
    TikTokRefused,
    "TikTok did not exchange this authorization code. Connect again; if this happens again, "
    "TikTok's message explains the cause.",
)
CODE_OR_SECRET_REJECTED = ErrorMapping(
    CodeSpent,
    "TikTok did not accept this authorization code from this app. Connect again; if this happens "
    "again, ask the operator to check the app's secret and redirect address.",
)
CONSENT_DECLINED = ErrorMapping(
    CodeSpent, "Access was declined on TikTok's consent page. Connect again and allow access."
)
PERMISSION = ErrorMapping(
    PermissionMissing,
    "TikTok reports a missing permission. Ask for access in TikTok's Business Center, then connect "
    "again and allow every permission on the consent page.",
)
OWNER_ACTION_NEEDED = ErrorMapping(
    PermissionMissing,
    "TikTok requires the account's owner to sign in. Sign in at TikTok; if this error persists, "
    "connect again.",
)
APP_REJECTED = ErrorMapping(
    ConfigurationError,
    "TikTok does not accept this app's configuration. The operator should check the app id, the "
    "secret and the app's approval at TikTok.",
)
TOKEN_OF_ANOTHER_APP = ErrorMapping(
    ConfigurationError,
    "TikTok reports that the token belongs to another app. The operator should check TIKTOK_APP_ID and "
    "TIKTOK_APP_SECRET: a connection works only with the app through which it was connected.",
)
REQUEST_REJECTED = ErrorMapping(
    TikTokRefused,
    "TikTok refused the request, and the same request will fail again. TikTok's message explains "
    "the cause.",
)
NOT_FOUND = ErrorMapping(
    TikTokRefused,
    "TikTok does not know the address of this call. The operator should check the TikTok addresses "
    "in the settings.",
)
TIKTOK_FAULT = ErrorMapping(
    TikTokUnreachable,
    "TikTok has an internal fault at the moment. Try again shortly.",
    retry_after=5,
)
MAINTENANCE = ErrorMapping(
    TikTokUnreachable,
    "TikTok is under maintenance. Try again in half an hour.",
    retry_after=1800,
)
RATE_LIMITED = ErrorMapping(
    RateLimited,
    "TikTok's rate limit is reached. Wait a little, then try again.",
    retry_after=60,
)
RATE_LIMITED_ONE_SECOND = replace(RATE_LIMITED, retry_after=1)
RATE_LIMITED_FIVE_MINUTES = replace(RATE_LIMITED, retry_after=300)
MALFORMED_RESPONSE = ErrorMapping(
    UnreadableResponse,
    "TikTok's response could not be read. Try again shortly.",
    retry_after=30,
)

_CODES_BY_MAPPING: Mapping[ErrorMapping, tuple[int | str, ...]] = {
    CONNECTION_ENDED: (40103, 40107),
    GRANT_IN_DOUBT: (40106,),
    TOKEN_REJECTED: (40105, "access_token_invalid", "invalid_grant"),
    TOKEN_EXPIRED: (40102,),
    CODE_REJECTED: (40110, 40115),
    PERMISSION: (
        *(40001, 40003, 40118, 40119, 40121, 40122, 40125, 40126, 40127, 40128, 40129),
        *(40130, 40131, 40300, 40301, 40302),
        *("access_denied", "scope_not_authorized", "scope_permission_missed"),
        "token_not_authorized_for_specified_publish_id",
    ),
    # Other clients reconnect on these codes, but TikTok does not document them: only its SDK names them.
    # So the connection does not end, and the account's owner is asked to sign in.
    OWNER_ACTION_NEEDED: (40114, 40120, 40309),
    APP_REJECTED: (
        *(40010, 40101, 40104, 40113, 40124, 41000, 70001),
        *("invalid_client", "unauthorized_client", "invalid_scope"),
    ),
    NOT_FOUND: (40400,),
    RATE_LIMITED: (40016, 40132, 61000, "rate_limit_exceeded"),
    RATE_LIMITED_ONE_SECOND: (40133,),
    TIKTOK_FAULT: (
        *(40200, 40201, 40202, 40700, 40901, 40902, 40903, 40913, 41013),
        *("server_error", "temporarily_unavailable", "internal_error"),
    ),
    MAINTENANCE: (60001,),
}
_MAPPINGS_BY_CODE = {
    code: mapping for mapping, codes in _CODES_BY_MAPPING.items() for code in codes
}

# When a code is redeemed, no connection and no access token exist yet.
_CONNECTION_CODES = (
    *_CODES_BY_MAPPING[CONNECTION_ENDED],
    *_CODES_BY_MAPPING[GRANT_IN_DOUBT],
    *(40102, 40105, "access_token_invalid"),
)
_OVERRIDES_BY_PURPOSE: Mapping[tuple[Purpose, int | str], ErrorMapping] = {
    **{("exchange", code): EXCHANGE_REJECTED for code in _CONNECTION_CODES},
    # TikTok also sends 40101 for an expired authorization code, but 40101 does not prove it.
    ("exchange", 40101): APP_OR_CODE_REJECTED,
    ("exchange", "invalid_grant"): CODE_REJECTED,
    # TikTok uses `invalid_request` for a wrong code, a wrong redirect address and a wrong PKCE verifier.
    ("exchange", "invalid_request"): CODE_OR_SECRET_REJECTED,
    ("exchange", "access_denied"): CONSENT_DECLINED,
    ("refresh", "invalid_grant"): CONNECTION_ENDED,
}

_THROTTLING_TEXTS = ("too frequent", "too many requests")
_CODES_WITH_THROTTLING_TEXT = (40001, 51021)
# The whole text: "The app_id is inconsistent with the token's app information".
_OTHER_APP_TEXT = "app_id is inconsistent with the token"
_CODES_WITH_OTHER_APP_TEXT = (40000, 40113)


def map_business_code(code: int, *, message: str, purpose: Purpose) -> ErrorMapping:
    """Maps an integer code of the business API. For a few codes the message decides."""
    lowered = message.lower()
    if code == 40100:
        return _map_rate_limit(lowered)
    # 40001 means "no permission", but TikTok has also sent 40001 with a throttling message.
    if code in _CODES_WITH_THROTTLING_TEXT and any(text in lowered for text in _THROTTLING_TEXTS):
        return RATE_LIMITED
    if code in _CODES_WITH_OTHER_APP_TEXT and _OTHER_APP_TEXT in lowered:
        return TOKEN_OF_ANOTHER_APP
    return _lookup(code, purpose) or _map_by_range(code)


def map_open_code(code: str, *, status: int, purpose: Purpose) -> ErrorMapping:
    """Maps a word code of TikTok for Developers. For an unlisted code the HTTP status decides."""
    mapping = _lookup(code, purpose)
    if mapping is not None:
        return mapping
    if status == 429:
        return RATE_LIMITED
    if status >= 500:
        return TIKTOK_FAULT
    # The token endpoints use 401 to reject the app, not a token.
    return TOKEN_REJECTED if status == 401 and purpose == "call" else REQUEST_REJECTED


def map_http_status(status: int) -> ErrorMapping:
    """Maps a response without an envelope: a gateway sent the response, or the address is wrong."""
    if status == 429:
        return RATE_LIMITED
    if status >= 500:
        return TIKTOK_FAULT
    return NOT_FOUND if status in (404, 405) else MALFORMED_RESPONSE


def _lookup(code: int | str, purpose: Purpose) -> ErrorMapping | None:
    return _OVERRIDES_BY_PURPOSE.get((purpose, code)) or _MAPPINGS_BY_CODE.get(code)


def _map_rate_limit(message: str) -> ErrorMapping:
    """40100 covers the limits per second, minute and day; only the message distinguishes them."""
    if "qps" in message:
        return RATE_LIMITED_ONE_SECOND
    return RATE_LIMITED_FIVE_MINUTES if "temporarily restricted" in message else RATE_LIMITED


def _map_by_range(code: int) -> ErrorMapping:
    return TIKTOK_FAULT if 50000 <= code <= 69999 else REQUEST_REJECTED
