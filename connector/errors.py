"""Everything that can go wrong, drawn once.

A failure is raised as the class that says what happened; the status, the machine word and whether
trying again helps stand on the class. One middleware turns any of them into one JSON shape. A
message is a sentence for a stranger and never holds a token, a code, a secret or a body. What only
the operator can use, a key's id or a setting's name, is the detail: for the log and the terminal.

ConnectorError
├── Refused                     the caller can mend it
│   ├── InvalidRequest          400 invalid_request
│   ├── InvalidState            400 invalid_state
│   ├── StateExpired            410 state_expired
│   ├── Unauthenticated         401 unauthenticated
│   ├── WrongUser               403 wrong_user
│   ├── Forbidden               403 forbidden
│   ├── NotFound                404 not_found
│   ├── MethodNotAllowed        405 method_not_allowed
│   ├── TooLarge                413 too_large
│   ├── UnsupportedMediaType    415 unsupported_media_type
│   ├── NoAdvertisers           422 no_advertisers
│   └── UnknownAdvertiser       422 unknown_advertiser
├── TikTokError                 TikTok said no, or nothing we can use: one class per verdict
│   ├── CodeSpent               400 code_spent            the person consents again
│   ├── ReconnectRequired       409 reconnect_required    the grant is gone, for certain
│   ├── TokenRejected           409 reconnect_required    the access token is; a refresh may help
│   ├── SlowDown                429 slow_down             wait, then the same again
│   ├── TikTokRefused           502 tiktok_refused        asking again changes nothing
│   │   └── PermissionMissing   502 tiktok_refused        a permission the person or app lacks
│   ├── Misconfigured           502 configuration         the operator's app id, secret, approval
│   │   └── Unopenable          502 configuration         (in seal) a sealed token, or its key, is bad
│   └── TikTokUnreachable       503 tiktok_unreachable    says nothing about the grant
│       └── Unintelligible      503 tiktok_unreachable    an answer TikTok cannot have meant
├── StoreUnreachable            503 store_unreachable
├── JournalUnwritable           503 journal_unwritable    no refresh token is spent until it is
├── Busy                        503 busy                  somebody else is at it; come back
└── Broken                      500 internal_error        our bug
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ConnectorError(Exception):
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, detail: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail or message)
        self.message = message
        self.detail = detail or message
        self.retry_after = retry_after


class Refused(ConnectorError):
    pass


class InvalidRequest(Refused):
    status, code = 400, "invalid_request"


class InvalidState(Refused):
    status, code = 400, "invalid_state"


class StateExpired(Refused):
    status, code = 410, "state_expired"


class Unauthenticated(Refused):
    status, code = 401, "unauthenticated"


class WrongUser(Refused):
    status, code = 403, "wrong_user"


class Forbidden(Refused):
    status, code = 403, "forbidden"


class NotFound(Refused):
    status, code = 404, "not_found"


class MethodNotAllowed(Refused):
    status, code = 405, "method_not_allowed"


class TooLarge(Refused):
    status, code = 413, "too_large"


class UnsupportedMediaType(Refused):
    status, code = 415, "unsupported_media_type"


class NoAdvertisers(Refused):
    status, code = 422, "no_advertisers"


class UnknownAdvertiser(Refused):
    status, code = 422, "unknown_advertiser"


@dataclass(frozen=True)
class Said:
    """What TikTok itself said, passed on so that its support can find the call."""

    code: int | str | None = None
    message: str = ""
    request_id: str | None = None


class TikTokError(ConnectorError):
    status, code = 502, "tiktok_refused"

    def __init__(
        self,
        message: str,
        *,
        said: Said | None = None,
        detail: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, detail=detail, retry_after=retry_after)
        self.said = said


class CodeSpent(TikTokError):
    status, code = 400, "code_spent"


class ReconnectRequired(TikTokError):
    status, code = 409, "reconnect_required"


class TokenRejected(TikTokError):
    status, code = 409, "reconnect_required"


class SlowDown(TikTokError):
    status, code, retryable = 429, "slow_down", True


class TikTokRefused(TikTokError):
    pass


class PermissionMissing(TikTokRefused):
    pass


class Misconfigured(TikTokError):
    status, code = 502, "configuration"


class TikTokUnreachable(TikTokError):
    status, code, retryable = 503, "tiktok_unreachable", True


class Unintelligible(TikTokUnreachable):
    pass


class StoreUnreachable(ConnectorError):
    status, code, retryable = 503, "store_unreachable", True


class JournalUnwritable(ConnectorError):
    status, code, retryable = 503, "journal_unwritable", True


class Busy(ConnectorError):
    status, code, retryable = 503, "busy", True


class Broken(ConnectorError):
    pass
