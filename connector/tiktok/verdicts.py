"""What TikTok's codes mean for us. The only place where a code meets a class of error.

A verdict is a class in `errors`, the sentence a person gets, and how long to wait. The rules:

- Only a definite word ends a connection (`ReconnectRequired`): `invalid_grant` on a refresh, 40103,
  40106, 40107. 40102 and 40105 speak of the access token alone (`TokenRejected`): where it can be
  refreshed that is a reason to, where it cannot it is the end, and only the keeper knows which.
- The same code means another thing to another question, so the purpose of the call is asked for.
- What is not listed goes by its range: 4xxxx will not pass by asking again, 5xxxx and 6xxxx may.

Sources: the Marketing API portal's "Return codes" and the official SDK's tiktok_code.py; for the
other grammar https://developers.tiktok.com/doc/oauth-error-handling and
https://developers.tiktok.com/doc/tiktok-api-v2-error-handling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from connector.errors import (
    CodeSpent,
    Misconfigured,
    PermissionMissing,
    ReconnectRequired,
    SlowDown,
    TikTokError,
    TikTokRefused,
    TikTokUnreachable,
    TokenRejected,
    Unintelligible,
)

Purpose = Literal["exchange", "refresh", "call"]


@dataclass(frozen=True)
class Verdict:
    error: type[TikTokError]
    sentence: str
    retry_after: float | None = None


RECONNECT = Verdict(
    ReconnectRequired, "TikTok has ended this connection. Connect the TikTok account again."
)
TOKEN = Verdict(
    TokenRejected,
    "TikTok no longer accepts the access token. If this does not mend itself, "
    "connect the TikTok account again.",
)
CODE = Verdict(
    CodeSpent,
    "TikTok no longer accepts this authorization code: it was used before, is too old, or belongs "
    "to another kind of sign-in. Connect again.",
)
APP_OR_CODE = Verdict(
    Misconfigured,
    "TikTok does not accept the app id or secret for this code. The operator checks TIKTOK_APP_ID "
    "and TIKTOK_APP_SECRET; if they are right, connect again.",
)
NOT_EXCHANGED = Verdict(
    TikTokRefused,
    "TikTok would not exchange this authorization code. Connect again; if it happens again, "
    "TikTok's own words say what is wrong.",
)
CODE_OR_SECRET = Verdict(
    CodeSpent,
    "TikTok did not accept this authorization code from this app. Connect again; if it happens "
    "again, ask the operator to check the app's secret and redirect address.",
)
DECLINED = Verdict(
    CodeSpent, "Access was declined on TikTok's consent page. Connect again and allow it."
)
PERMISSION = Verdict(
    PermissionMissing,
    "TikTok says a permission is missing. Ask for access in TikTok's Business Center, then connect "
    "again and allow everything that is asked for.",
)
SIGN_IN = Verdict(
    PermissionMissing,
    "TikTok wants the account's owner to sign in. Sign in at TikTok; if this stays, connect again.",
)
CONFIG = Verdict(
    Misconfigured,
    "TikTok does not accept this app as it is set up. The operator should check the app id, the "
    "secret and the app's approval at TikTok.",
)
FIX = Verdict(
    TikTokRefused,
    "TikTok refused the request, and trying the same again will not help. TikTok's own words say "
    "what to change.",
)
NOT_FOUND = Verdict(
    TikTokRefused,
    "TikTok does not know the address that was called. The operator should check the TikTok "
    "addresses in the settings.",
)
RETRY = Verdict(
    TikTokUnreachable,
    "TikTok has a fault of its own at the moment. Try again shortly.",
    retry_after=5,
)
MAINTENANCE = Verdict(
    TikTokUnreachable,
    "TikTok is under maintenance. Try again in half an hour.",
    retry_after=1800,
)
LIMIT = Verdict(
    SlowDown, "TikTok asks for fewer requests. Wait a little, then try again.", retry_after=60
)
LIMIT_SECOND = replace(LIMIT, retry_after=1)
LIMIT_LONG = replace(LIMIT, retry_after=300)
GARBLED = Verdict(
    Unintelligible,
    "TikTok's answer could not be understood. Try again shortly.",
    retry_after=30,
)

_BY_VERDICT: Mapping[Verdict, tuple[int | str, ...]] = {
    RECONNECT: (40103, 40106, 40107),
    TOKEN: (40102, 40105, "access_token_invalid", "invalid_grant"),
    CODE: (40110, 40115),
    PERMISSION: (
        *(40001, 40003, 40118, 40119, 40121, 40122, 40125, 40126, 40127, 40128, 40129),
        *(40130, 40131, 40300, 40301, 40302),
        *("access_denied", "scope_not_authorized", "scope_permission_missed"),
        "token_not_authorized_for_specified_publish_id",
    ),
    # Tables of others say "reconnect" here, on the strength of a name in the SDK alone. That is not
    # a definite word, so the connection stays and a person is asked to look.
    SIGN_IN: (40114, 40120, 40309),
    CONFIG: (
        *(40010, 40101, 40104, 40113, 40124, 41000, 70001),
        *("invalid_client", "unauthorized_client", "invalid_scope"),
    ),
    NOT_FOUND: (40400,),
    LIMIT: (40016, 40132, 61000, "rate_limit_exceeded"),
    LIMIT_SECOND: (40133,),
    RETRY: (
        *(40200, 40201, 40202, 40700, 40901, 40902, 40903, 40913, 41013),
        *("server_error", "temporarily_unavailable", "internal_error"),
    ),
    MAINTENANCE: (60001,),
}
_VERDICTS = {code: verdict for verdict, codes in _BY_VERDICT.items() for code in codes}

# Before there is a connection there is none to end, and no access token to speak of.
_OF_CONNECTIONS = (*_BY_VERDICT[RECONNECT], 40102, 40105, "access_token_invalid")
_IN_CONTEXT: Mapping[tuple[Purpose, int | str], Verdict] = {
    **{("exchange", code): NOT_EXCHANGED for code in _OF_CONNECTIONS},
    # Seen for a stale code as well, but only a definite word may use a code up for good.
    ("exchange", 40101): APP_OR_CODE,
    ("exchange", "invalid_grant"): CODE,
    # A bad code, redirect address and PKCE verifier share this one.
    ("exchange", "invalid_request"): CODE_OR_SECRET,
    ("exchange", "access_denied"): DECLINED,
    ("refresh", "invalid_grant"): RECONNECT,
}

_THROTTLED = ("too frequent", "too many requests")
_MAY_BE_THROTTLED = (40001, 51021)


def of_code(code: int, message: str, purpose: Purpose) -> Verdict:
    """The business API's grammar: whole numbers, of which a few mean two things."""
    words = message.lower()
    if code == 40100:
        return _limit(words)
    # 40001 is "no permission", and has been seen with a throttling text.
    if code in _MAY_BE_THROTTLED and any(sign in words for sign in _THROTTLED):
        return LIMIT
    return _listed(code, purpose) or _by_range(code)


def of_word(code: str, status: int, purpose: Purpose) -> Verdict:
    """TikTok for Developers' grammar: words, and an HTTP status that means something."""
    found = _listed(code, purpose)
    if found is not None:
        return found
    if status == 429:
        return LIMIT
    if status >= 500:
        return RETRY
    # Not at the token endpoints: there 401 speaks of the app.
    return TOKEN if status == 401 and purpose == "call" else FIX


def of_status(status: int) -> Verdict:
    """No envelope to go by: a gateway answered in TikTok's place, or the address is wrong."""
    if status == 429:
        return LIMIT
    if status >= 500:
        return RETRY
    return NOT_FOUND if status in (404, 405) else GARBLED


def _listed(code: int | str, purpose: Purpose) -> Verdict | None:
    return _IN_CONTEXT.get((purpose, code)) or _VERDICTS.get(code)


def _limit(words: str) -> Verdict:
    """40100 is said of the limits per second, minute and day alike; only the text tells which."""
    if "qps" in words:
        return LIMIT_SECOND
    return LIMIT_LONG if "temporarily restricted" in words else LIMIT


def _by_range(code: int) -> Verdict:
    return RETRY if 50000 <= code <= 69999 else FIX
