"""List, get, select an advertiser, refresh and disconnect connections, and get their access tokens.

`disconnect` first marks the connection, which ends every use of its token in this service. Then
`disconnect` revokes the token at TikTok. If TikTok is unreachable, the background refresh retries the revocation.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from connector.advertisers import UserAccountsToken
from connector.clock import Clock
from connector.errors import (
    Busy,
    ConnectorError,
    InvalidRequest,
    NotFound,
    RateLimited,
    ReconnectRequired,
    UnknownAdvertiser,
)
from connector.model import Account, Attempt, Connection, StoredTokens, UserId
from connector.store import ConnectionFilter, Store
from connector.tiktok import FAMILIES
from connector.tokens import TokenAccess, TokenRefresher, UsableTokens, require_active

from .lists import ConnectionPage, read_page
from .scope import Scope

log = logging.getLogger(__name__)

ADVERTISER_FAMILIES = tuple(family.name for family in FAMILIES if family.has_advertisers)


@dataclass(frozen=True)
class AdvertiserSelection:
    connection_id: str
    advertiser: Account


class ConnectionService:
    def __init__(
        self,
        *,
        store: Store,
        tokens: TokenAccess,
        refresher: TokenRefresher,
        clock: Clock,
        user_accounts_token: UserAccountsToken,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._refresher = refresher
        self._clock = clock
        self._user_accounts_token = user_accounts_token

    def list_connections(self, *, scope: Scope) -> AsyncIterator[Connection]:
        """Lists all connections in a stable order, for a caller that reads them all."""
        return self._store.list_connections(user_id=scope.user_id)

    async def list_page(
        self, filter: ConnectionFilter, *, after: str | None = None, limit: int
    ) -> ConnectionPage:
        """For people: broken connections first, then the newest. `after` is the `next` of the last page."""
        return await read_page(self._store, filter, after=after, limit=limit)

    async def get(self, connection_id: str, *, scope: Scope) -> Connection:
        connection = await self._store.get_connection(_parse_id(connection_id))
        if connection is None or not scope.includes(connection.user_id):
            raise _not_found()
        return connection

    async def list_attempts(self, connection_id: str, *, scope: Scope) -> list[Attempt]:
        connection = await self.get(connection_id, scope=scope)
        return await self._store.list_attempts(connection.id)

    # Advertisers.

    async def find_advertiser_connection(
        self, *, user_id: UserId, connection_id: str | None = None
    ) -> Connection:
        """Returns the given connection, or else the user's newest connection that has advertisers."""
        stored = await self._find_advertiser_tokens(user_id, connection_id)
        return await self.get(stored.connection_id, scope=Scope.user(user_id))

    async def select_advertiser(
        self, advertiser_id: str, *, user_id: UserId, connection_id: str | None = None
    ) -> AdvertiserSelection:
        stored = await self._find_advertiser_tokens(user_id, connection_id)
        advertiser = await self._try_select(stored, advertiser_id)
        if advertiser is None:
            # The tokens or the advertisers may have changed since the row was read.
            stored = await self._find_advertiser_tokens(user_id, stored.connection_id)
            advertiser = await self._try_select(stored, advertiser_id)
        if advertiser is None:
            raise Busy("This connection is changing. Try again shortly.", retry_after=1)
        log.info(
            "advertiser selected connection_id=%s advertiser_id=%s",
            stored.connection_id,
            advertiser.id,
        )
        return AdvertiserSelection(stored.connection_id, advertiser)

    async def _find_advertiser_tokens(
        self, user_id: UserId, connection_id: str | None
    ) -> StoredTokens:
        if connection_id is not None:
            stored = await self._get_stored_tokens(connection_id, scope=Scope.user(user_id))
            if stored.family not in ADVERTISER_FAMILIES:
                raise InvalidRequest("connection_id is a connection that has no ad accounts.")
            return stored
        for family in ADVERTISER_FAMILIES:
            newest = await self._store.find_stored_tokens(user_id, family)
            if newest is not None and newest.status != "revoked":
                return newest
        raise NotFound("No TikTok ad account is connected yet.")

    async def _try_select(self, stored: StoredTokens, advertiser_id: str) -> Account | None:
        """Returns None if the connection has changed since `stored` was read."""
        if stored.status == "revoked":
            raise ReconnectRequired("This connection was disconnected: connect TikTok again.")
        require_active(stored)
        advertiser = await self._store.select_advertiser(
            stored.connection_id,
            advertiser_id=advertiser_id,
            token_version=stored.token_version,
            account_token=self._user_accounts_token.for_stored_tokens(stored),
            now=self._clock.database_time(),
        )
        if advertiser is not None:
            return advertiser
        connection = await self._store.get_connection(stored.connection_id)
        if connection is not None and all(a.id != advertiser_id for a in connection.accounts):
            raise UnknownAdvertiser(
                "TikTok did not give access to this ad account. Select one from the list, or "
                "connect again and select it at TikTok."
            )
        return None

    # Tokens.

    async def get_token(self, connection_id: str, *, actor: str) -> UsableTokens:
        """For servers only."""
        stored = await self._store.get_stored_tokens(_parse_id(connection_id))
        return await self._tokens.get_usable(stored, actor=actor)

    async def get_user_token(self, user_id: UserId, family: str, *, actor: str) -> UsableTokens:
        """For servers only. Returns the token of the user's newest connection in the family."""
        stored = await self._store.find_stored_tokens(user_id, family)
        if stored is None:
            raise NotFound("This user has no such connection.")
        return await self._tokens.get_usable(stored, actor=actor)

    async def refresh(
        self,
        connection_id: str,
        *,
        scope: Scope,
        actor: str,
        min_interval: timedelta = timedelta(0),
    ) -> Connection:
        """Raises `RateLimited` if the last operation was less than `min_interval` ago."""
        stored = await self._get_stored_tokens(connection_id, scope=scope)
        # Checked before the limit: the reason why a connection ended matters more than the limit.
        require_active(stored)
        if min_interval:
            await self._require_interval(stored, min_interval)
        await self._refresher.refresh(stored, actor=actor)
        return await self.get(connection_id, scope=scope)

    async def disconnect(self, connection_id: str, *, scope: Scope, actor: str) -> Connection:
        stored = await self._get_stored_tokens(connection_id, scope=scope)
        revoked = await self._store.mark_disconnected(
            stored.connection_id, now=self._clock.database_time()
        )
        if revoked is not None and revoked.encrypted_tokens is not None:
            try:
                # For a disconnected connection, this operation revokes its tokens.
                await self._refresher.refresh(revoked, actor=actor)
            except ConnectorError as error:
                log.info(
                    "revocation postponed connection_id=%s error=%s",
                    stored.connection_id,
                    error.code,
                )
        return await self.get(connection_id, scope=scope)

    async def _require_interval(self, stored: StoredTokens, min_interval: timedelta) -> None:
        """Counts failed operations too: each operation uses up a call of a quota that all users share."""
        attempts = await self._store.list_attempts(stored.connection_id)
        last = next((a.at for a in attempts if a.operation != "exchange"), None)
        if last is None:
            return
        remaining = last + min_interval - self._clock.now()
        if remaining > timedelta(0):
            raise RateLimited(
                "This connection was refreshed a moment ago.",
                retry_after=min(remaining, min_interval).total_seconds(),
            )

    async def _get_stored_tokens(self, connection_id: str, *, scope: Scope) -> StoredTokens:
        stored = await self._store.get_stored_tokens(_parse_id(connection_id))
        if stored is None or not scope.includes(stored.user_id):
            raise _not_found()
        return stored


def _parse_id(connection_id: str) -> str:
    try:
        return str(UUID(connection_id))
    except ValueError:
        raise _not_found() from None


def _not_found() -> NotFound:
    return NotFound("There is no such connection.")
