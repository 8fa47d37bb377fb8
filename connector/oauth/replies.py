"""The reply of an exchange, stored with the code, so that every POST of the code gets the same reply.

Only a permanent result is stored: success, a used code, a consent without any ad account. A reply never
contains tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from connector.errors import (
    CodeSpent,
    ConnectorError,
    NoAdvertisers,
    TikTokError,
    UpstreamError,
    error_class,
)
from connector.model import Account, FrozenModel
from connector.store import StoredReply

REPLAYABLE_ERRORS = (CodeSpent, NoAdvertisers)


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


class RefusalReply(FrozenModel):
    success: Literal[False] = False
    code: str
    message: str
    upstream: UpstreamError | None


ExchangeReply = Annotated[SuccessReply | RefusalReply, Field(discriminator="success")]

_EXCHANGE_REPLY: TypeAdapter[SuccessReply | RefusalReply] = TypeAdapter(ExchangeReply)


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
    return isinstance(error, REPLAYABLE_ERRORS)


def refusal_reply(error: ConnectorError) -> RefusalReply:
    upstream = error.upstream if isinstance(error, TikTokError) else None
    return RefusalReply(code=error.code, message=error.message, upstream=upstream)


def replay(stored: StoredReply) -> SuccessReply:
    """Returns the stored reply. Raises the error again if the reply is a refusal."""
    reply = _EXCHANGE_REPLY.validate_python(stored)
    if isinstance(reply, SuccessReply):
        return reply
    error = error_class(reply.code)
    if issubclass(error, TikTokError):
        raise error(reply.message, upstream=reply.upstream)
    raise error(reply.message)
