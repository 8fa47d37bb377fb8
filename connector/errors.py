"""Defines the exceptions that become an HTTP response.

Each class describes one kind of error. The class has the HTTP status, the error code and the attribute
`retryable`. One middleware converts every error to the same JSON format. The message is a sentence for the
caller and never contains a token, a code, a secret or a body. The detail is for the operator (a key's id,
a setting's name): only the log and the terminal show the detail.

ConnectorError
├── ClientError                 the caller can correct the request
│   ├── InvalidRequest          400 invalid_request
│   ├── InvalidState            400 invalid_state
│   ├── StateExpired            410 state_expired
│   ├── Unauthenticated         401 unauthenticated
│   │   └── CredentialsExpired  401 unauthenticated    genuine, but too old
│   ├── WrongUser               403 wrong_user
│   ├── Forbidden               403 forbidden
│   ├── NotFound                404 not_found
│   ├── MethodNotAllowed        405 method_not_allowed
│   ├── BodyTooLarge            413 too_large
│   ├── UnsupportedMediaType    415 unsupported_media_type
│   ├── Superseded              409 superseded            a newer consent, or a disconnect, came first
│   ├── EndpointDisabled        409 endpoint_disabled     nothing is sent to a disabled endpoint
│   ├── EventsGone              410 events_gone           events are kept for 30 days
│   ├── UnusableUserId          422 unusable_user_id
│   ├── NoAdvertisers           422 no_advertisers
│   ├── UnknownAdvertiser       422 unknown_advertiser
│   └── EndpointRefused         422 endpoint_refused      no event may be sent to this URL
├── TikTokError                 TikTok refused, or its response is unusable
│   ├── CodeSpent               400 code_spent            the code was used or has expired
│   ├── ReconnectRequired       409 reconnect_required    TikTok has ended the grant
│   ├── AccessTokenRejected     409 reconnect_required    the access token is not valid
│   │   └── AccessTokenExpired  409 reconnect_required    TikTok says that it was valid until its expiry
│   ├── RateLimited             429 slow_down             the same call will work later
│   ├── TikTokRefused           502 tiktok_refused        the same call will fail again
│   │   ├── PermissionMissing   502 tiktok_refused        the person or the app lacks a permission
│   │   └── GrantInDoubt        502 tiktok_refused        the grant has ended, or the call named another account
│   ├── ConfigurationError      502 configuration         the operator's app id, secret or approval
│   │   └── DecryptionFailed    502 configuration         (in encryption) a ciphertext or its key
│   └── TikTokUnreachable       503 tiktok_unreachable    no evidence that the grant ended
│       └── UnreadableResponse  503 tiktok_unreachable    not a response of TikTok's API
├── StoreUnreachable            503 store_unreachable
├── JournalUnwritable           503 journal_unwritable    no one-time code or token is sent
├── Busy                        503 busy                  another process does the same work
│   └── OnHold                  503 busy                  `serve --hold` uses no token and no code
└── InternalError               500 internal_error        a bug in the service
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


class ClientError(ConnectorError):
    pass


class InvalidRequest(ClientError):
    status, code = 400, "invalid_request"


class InvalidState(ClientError):
    status, code = 400, "invalid_state"


class StateExpired(ClientError):
    status, code = 410, "state_expired"


class Unauthenticated(ClientError):
    status, code = 401, "unauthenticated"


class CredentialsExpired(Unauthenticated):
    pass


class WrongUser(ClientError):
    status, code = 403, "wrong_user"


class Forbidden(ClientError):
    status, code = 403, "forbidden"


class NotFound(ClientError):
    status, code = 404, "not_found"


class MethodNotAllowed(ClientError):
    status, code = 405, "method_not_allowed"


class BodyTooLarge(ClientError):
    status, code = 413, "too_large"


class UnsupportedMediaType(ClientError):
    status, code = 415, "unsupported_media_type"


class Superseded(ClientError):
    status, code = 409, "superseded"


class EndpointDisabled(ClientError):
    status, code = 409, "endpoint_disabled"


class EventsGone(ClientError):
    status, code = 410, "events_gone"

    def __init__(self, message: str, *, oldest: int) -> None:
        """`oldest` is the number of the oldest event that still exists."""
        super().__init__(message)
        self.oldest = oldest


class UnusableUserId(ClientError):
    status, code = 422, "unusable_user_id"


class NoAdvertisers(ClientError):
    status, code = 422, "no_advertisers"


class UnknownAdvertiser(ClientError):
    status, code = 422, "unknown_advertiser"


class EndpointRefused(ClientError):
    status, code = 422, "endpoint_refused"


@dataclass(frozen=True)
class UpstreamError:
    """TikTok's own error fields. With them TikTok's support can find the call."""

    code: int | str | None = None
    message: str = ""
    request_id: str | None = None


class TikTokError(ConnectorError):
    status, code = 502, "tiktok_refused"

    def __init__(
        self,
        message: str,
        *,
        upstream: UpstreamError | None = None,
        detail: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, detail=detail, retry_after=retry_after)
        self.upstream = upstream


class CodeSpent(TikTokError):
    status, code = 400, "code_spent"


class ReconnectRequired(TikTokError):
    status, code = 409, "reconnect_required"


class AccessTokenRejected(TikTokError):
    status, code = 409, "reconnect_required"


class AccessTokenExpired(AccessTokenRejected):
    pass


class RateLimited(TikTokError):
    status, code, retryable = 429, "slow_down", True


class TikTokRefused(TikTokError):
    pass


class PermissionMissing(TikTokRefused):
    pass


class GrantInDoubt(TikTokRefused):
    pass


class ConfigurationError(TikTokError):
    status, code = 502, "configuration"


class TikTokUnreachable(TikTokError):
    status, code, retryable = 503, "tiktok_unreachable", True


class UnreadableResponse(TikTokUnreachable):
    pass


class StoreUnreachable(ConnectorError):
    status, code, retryable = 503, "store_unreachable", True


class JournalUnwritable(ConnectorError):
    status, code, retryable = 503, "journal_unwritable", True


class Busy(ConnectorError):
    status, code, retryable = 503, "busy", True


class OnHold(Busy):
    MESSAGE: ClassVar[str] = (
        "The operator has started this service with --hold: it uses no token and no code at TikTok. "
        "Try again when it runs normally."
    )

    def __init__(self) -> None:
        super().__init__(self.MESSAGE, retry_after=60)


class InternalError(ConnectorError):
    pass


_CLASSES_BY_CODE: dict[str, type[ConnectorError]] = {
    error.code: error
    for error in (
        InvalidRequest,
        InvalidState,
        StateExpired,
        Unauthenticated,
        WrongUser,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        BodyTooLarge,
        UnsupportedMediaType,
        Superseded,
        EndpointDisabled,
        EventsGone,
        UnusableUserId,
        NoAdvertisers,
        UnknownAdvertiser,
        EndpointRefused,
        CodeSpent,
        ReconnectRequired,
        RateLimited,
        TikTokRefused,
        ConfigurationError,
        TikTokUnreachable,
        StoreUnreachable,
        JournalUnwritable,
        Busy,
    )
}


def error_class(code: str) -> type[ConnectorError]:
    """Returns the class for the code of a stored error, or `InternalError` for an unknown code."""
    return _CLASSES_BY_CODE.get(code, InternalError)
