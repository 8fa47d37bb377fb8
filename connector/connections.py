"""What a person does with the connections they have: look, choose, refresh, disconnect.

Somebody else's connection does not exist for them: not found, never forbidden. Disconnecting marks
the connection first, which ends every use of its token here, and then gives the token back to
TikTok; if TikTok is away the keeper goes on trying.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from .choosing import AccountTokens
from .clock import Clock
from .errors import ConnectorError, InvalidRequest, NotFound, ReconnectRequired, UnknownAdvertiser
from .keeper import Keeper, Working
from .model import Account, Attempt, Connection, Kept, UserId
from .store import Pulse, Store

log = logging.getLogger(__name__)

DAY = timedelta(hours=24)
PULSE_AGE = timedelta(seconds=10)


class Connections:
    """`of` is whose connections count: one user's, or everybody's for a server (None)."""

    def __init__(
        self, *, store: Store, keeper: Keeper, clock: Clock, account_tokens: AccountTokens
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._account_tokens = account_tokens
        self._pulses: dict[UserId | None, tuple[datetime, list[Pulse]]] = {}

    # Looking.

    def listed(
        self, *, of: UserId | None, family: str | None = None, after: str | None = None
    ) -> AsyncIterator[Connection]:
        return self._store.connections(user_id=of, family=family, after=after)

    async def get(self, id: str, *, of: UserId | None) -> Connection:
        connection = await self._store.connection(_known(id))
        if connection is None or of not in (None, connection.user_id):
            raise NotFound("There is no such connection.")
        return connection

    async def attempts(self, id: str, *, of: UserId | None) -> list[Attempt]:
        connection = await self.get(id, of=of)
        return await self._store.attempts(connection.id)

    async def pulse(self, *, of: UserId | None) -> list[Pulse]:
        """Counted anew once in ten seconds: it looks at every attempt of a day."""
        now = self._clock.now()
        fresh = {who: one for who, one in self._pulses.items() if now - one[0] < PULSE_AGE}
        self._pulses = fresh
        if of not in fresh:
            fresh[of] = now, await self._store.pulse(user_id=of, since=now - DAY)
        return fresh[of][1]

    # Advertisers.

    async def advertisers(self, *, of: UserId, id: str | None = None) -> Connection:
        """The connection whose advertisers are meant: the one named, else the newest."""
        if id is not None:
            connection = await self.get(id, of=of)
            if connection.family != "marketing":
                raise InvalidRequest("connection_id names a connection that has no advertisers.")
            return connection
        newest = await self._store.find_token(of, "marketing")
        if newest is None or newest.status == "revoked":
            raise NotFound("No TikTok ad account is connected yet.")
        return await self.get(newest.id, of=of)

    async def choose(
        self, advertiser_id: str, *, of: UserId, id: str | None = None
    ) -> tuple[Connection, Account]:
        connection = await self.advertisers(of=of, id=id)
        if connection.status == "revoked":
            raise ReconnectRequired("This connection was disconnected: connect TikTok again.")
        chosen = next((a for a in connection.accounts if a.id == advertiser_id), None)
        if chosen is None:
            raise UnknownAdvertiser(
                "That ad account is not among those TikTok gave access to. Pick one of the list, "
                "or connect again and tick it there."
            )
        kept = await self._store.read_token(connection.id)
        token = self._account_tokens.of(kept) if kept else None
        if not await self._store.choose(
            connection.id, chosen=chosen, account_token=token, now=self._clock.now()
        ):
            raise ReconnectRequired("This connection was disconnected: connect TikTok again.")
        log.info("advertiser chosen connection=%s advertiser=%s", connection.id, chosen.id)
        return connection, chosen

    # Tokens: for servers alone.

    async def token(self, id: str, *, who: str) -> Working:
        return await self._keeper.fresh(await self._store.read_token(_known(id)), who=who)

    async def token_of(self, user_id: UserId, family: str, *, who: str) -> Working:
        kept = await self._store.find_token(user_id, family)
        if kept is None:
            raise NotFound("This user has no such connection.")
        return await self._keeper.fresh(kept, who=who)

    async def refresh(self, id: str, *, of: UserId | None, who: str) -> Connection:
        kept = await self._kept(id, of=of)
        self._keeper.check(kept)
        await self._keeper.refresh(kept, who=who)
        return await self.get(id, of=of)

    # The end.

    async def disconnect(self, id: str, *, of: UserId | None, who: str) -> Connection:
        kept = await self._kept(id, of=of)
        revoked = await self._store.begin_revoke(kept.id, now=self._clock.now())
        if revoked is not None and revoked.sealed is not None:
            try:
                await self._keeper.refresh(revoked, who=who, what="revoke")
            except ConnectorError as error:
                log.info("revocation will be retried connection=%s because=%s", id, error.code)
        return await self.get(id, of=of)

    async def _kept(self, id: str, *, of: UserId | None) -> Kept:
        kept = await self._store.read_token(_known(id))
        if kept is None or of not in (None, kept.user_id):
            raise NotFound("There is no such connection.")
        return kept


def _known(id: str) -> str:
    try:
        return str(UUID(id))
    except ValueError:
        raise NotFound("There is no such connection.") from None
