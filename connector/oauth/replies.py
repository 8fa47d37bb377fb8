"""The reply of an exchange. Every POST of the same code gets the result of the first POST.

Only a permanent result is stored with the code: the id of the connection, or a refusal. The reply to a
repeated POST is made from the connection as it is now, so a selection made meanwhile is included. A reply
never contains tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from connector.errors import (
    CodeSpent,
    ConnectorError,
    InvalidState,
    NoAdvertisers,
    Superseded,
    TikTokError,
    UpstreamError,
    error_class,
)
from connector.model import Account, FrozenModel
from connector.store import StoredReply

PERMANENT_ERRORS = (CodeSpent, NoAdvertisers, InvalidState, Superseded)

MESSAGES = {
    "superseded": "A newer consent or a disconnect has replaced this one. If no TikTok account is "
    "connected now, connect again.",
    "invalid_state": "This link has been used to connect an account. Start again with a new link.",
}
"""The store also records these two refusals itself, by their codes and without a message."""


class AdvertiserName(FrozenModel):
    id: str
    name: str


class SuccessReply(FrozenModel):
    success: Literal[True] = True
    connection_id: str
    family: str
    business_id: str | None
    """The id of the selected advertiser."""

    account_id: str | None
    """The name of the selected advertiser: the meaning of this column in `user_accounts`."""

    advertisers: tuple[AdvertiserName, ...]
    selection_required: bool
    message: str = "TikTok connected successfully"


class StoredRefusal(FrozenModel):
    code: str
    message: str = ""
    upstream: UpstreamError | None = None


def success_reply(
    connection_id: str, *, family: str, accounts: Sequence[Account], selected: Account | None
) -> SuccessReply:
    advertisers = tuple(
        AdvertiserName(id=account.id, name=account.name)
        for account in accounts
        if account.kind == "advertiser"
    )
    return SuccessReply(
        connection_id=connection_id,
        family=family,
        business_id=selected and selected.id,
        account_id=selected and selected.name,
        advertisers=advertisers,
        selection_required=bool(advertisers) and selected is None,
    )


def is_permanent(error: ConnectorError) -> bool:
    return isinstance(error, PERMANENT_ERRORS)


def stored_refusal(error: ConnectorError) -> StoredReply:
    upstream = error.upstream if isinstance(error, TikTokError) else None
    refusal = StoredRefusal(code=error.code, message=error.message, upstream=upstream)
    return refusal.model_dump(mode="json")


def refusal_error(code: str) -> ConnectorError:
    """Returns the error for one of the refusals in `MESSAGES`."""
    return error_class(code)(MESSAGES[code])


def stored_error(reply: StoredReply) -> ConnectorError | None:
    """Returns the error that was the result of the exchange. Returns None if it was a connection."""
    if "connection_id" in reply:
        return None
    refusal = StoredRefusal.model_validate(reply)
    message = refusal.message or MESSAGES[refusal.code]
    error = error_class(refusal.code)
    if issubclass(error, TikTokError):
        return error(message, upstream=refusal.upstream)
    return error(message)
