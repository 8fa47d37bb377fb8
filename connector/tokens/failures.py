"""Describes the row change of a failed token operation, and raises the error of such a row."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random

from connector import schedule
from connector.errors import (
    ConfigurationError,
    ConnectorError,
    JournalUnwritable,
    RateLimited,
    ReconnectRequired,
    TikTokRefused,
    TikTokUnreachable,
)
from connector.model import Attempt, Failure, StoredTokens, is_active
from connector.store import Outcome

log = logging.getLogger(__name__)

MAX_REVOKE_RETRY_AGE = timedelta(days=7)
TRANSIENT_ERRORS_BY_CODE: Mapping[str, type[ConnectorError]] = {
    error_class.code: error_class
    for error_class in (RateLimited, TikTokRefused, ConfigurationError, JournalUnwritable)
}


def failure_outcome(
    stored: StoredTokens,
    attempt: Attempt,
    error: ConnectorError,
    *,
    lease_owner: str,
    now: datetime,
    random: Random,
) -> Outcome:
    failure = _next_failure(stored, error, now=now, random=random)
    if stored.status == "revoked" and now - failure.since > MAX_REVOKE_RETRY_AGE:
        return Outcome.tokens_deleted(stored, attempt, lease_owner=lease_owner)
    if stored.status != "revoked" and isinstance(error, ReconnectRequired):
        return Outcome.reconnect_required(stored, attempt, lease_owner=lease_owner, failure=failure)
    log.info(
        "token operation failed, will retry connection_id=%s operation=%s error=%s retry_at=%s",
        stored.connection_id,
        attempt.operation,
        error.code,
        failure.retry_at,
    )
    # A transient error says nothing about the token. The status changes only after a failed refresh,
    # because that token expires soon. A failed probe leaves a token that is still valid.
    was_refresh = attempt.operation in ("refresh", "read")
    return Outcome.failed(
        stored,
        attempt,
        lease_owner=lease_owner,
        status="refresh_failing" if was_refresh else stored.status,
        failure=failure,
    )


def _next_failure(
    stored: StoredTokens, error: ConnectorError, *, now: datetime, random: Random
) -> Failure:
    earlier = stored.last_failure
    count = earlier.count + 1 if earlier else 1
    return Failure(
        code=error.code,
        message=failure_message(stored, error),
        since=earlier.since if earlier else now,
        count=count,
        retry_at=schedule.retry_at(
            now, failures=count, random=random, retry_after=error.retry_after
        ),
    )


def failure_message(stored: StoredTokens, error: ConnectorError) -> str:
    if isinstance(error, TikTokUnreachable) and error.upstream is None:
        return (
            f"{error.message} TikTok may have processed the request, but its response was not "
            "received."
        )
    if isinstance(error, ReconnectRequired) and stored.last_failure is not None:
        return f"{error.message} Before this, an attempt failed with {stored.last_failure.code}."
    return error.message


def require_active(stored: StoredTokens) -> None:
    """Raises if TikTok or the person has ended the connection."""
    if stored.status == "revoked":
        raise ReconnectRequired("This connection was disconnected: connect the account again.")
    if not is_active(stored.status) or stored.encrypted_tokens is None:
        raise ReconnectRequired("TikTok has ended this connection: connect the account again.")


def raise_if_backing_off(failure: Failure, now: datetime) -> None:
    """Raises the error of the last attempt until the next retry is allowed."""
    retry_after = schedule.seconds_until_retry(failure, now)
    if retry_after is not None:
        raise error_from_failure(failure, retry_after=retry_after)


def error_from_failure(failure: Failure, *, retry_after: float) -> ConnectorError:
    error_class = TRANSIENT_ERRORS_BY_CODE.get(failure.code, TikTokUnreachable)
    return error_class(
        f"The token could not be refreshed: {failure.message}", retry_after=retry_after
    )
