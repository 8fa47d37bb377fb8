"""From a grant to a connection: whose it is, which advertisers came with it, which is the chosen one.

For marketing the advertisers are the point of it all, and without them there is no connection yet.
Elsewhere the account is no more than a name to show, and who the TikTok user is nowhere worth
losing a connection over: either is waited for briefly, and done without. However it failed, that
says nothing about who it is, so it is never taken for somebody we know on that account.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from . import schedule
from .answers import success
from .choosing import NAMELESS, AccountTokens, choice, subject_among
from .clock import Clock
from .errands import attempt
from .errors import NoAdvertisers, TikTokError
from .grants import Presented
from .model import Account, Grant, Intent, bond
from .seal import Seal
from .store import Answer, Claim, Connected, Known, Store
from .tiktok import Family
from .transport import Transport

log = logging.getLogger(__name__)

T = TypeVar("T")

BRIEFLY = 4.0


class Connecting:
    def __init__(
        self,
        *,
        families: Mapping[str, Family],
        transport: Transport,
        store: Store,
        seal: Seal,
        clock: Clock,
        account_tokens: AccountTokens,
        probe_every: timedelta,
        chance: Random,
    ) -> None:
        self._families = families
        self._transport = transport
        self._store = store
        self._seal = seal
        self._clock = clock
        self._account_tokens = account_tokens
        self._probe_every = probe_every
        self._chance = chance

    async def connect(self, presented: Presented, claim: Claim, grant: Grant) -> Answer:
        intent, now = presented.intent, self._clock.now()
        said, accounts = await self._ask(intent, grant)
        subject, chosen = said or _subject_of_account(accounts, presented.key), None
        if intent.family == "marketing":
            if not accounts:
                raise NoAdvertisers(
                    "TikTok gave access, but to no ad account. In TikTok's Business Center, ask to "
                    "be given one, then connect again and tick it."
                )
            subject = await self._subject(claim.known, said, accounts)
            earlier = (k.chosen.id for k in claim.known if k.subject == subject and k.chosen)
            chosen = choice(accounts, earlier=(*earlier, claim.earlier))
        return await self._store.save_connection(
            Connected(
                key=presented.key,
                id=str(uuid.uuid4()),
                user_id=intent.user_id,
                family=intent.family,
                subject=subject,
                scopes=grant.scopes,
                accounts=accounts,
                chosen=chosen,
                sealed=self._seal.seal(
                    grant.tokens, bound_to=bond(intent.user_id, intent.family, subject)
                ),
                expires_at=grant.tokens.expires_at,
                refresh_expires_at=grant.tokens.refresh_expires_at,
                due_at=schedule.next_due(
                    grant.tokens, now, probe_every=self._probe_every, chance=self._chance
                ),
                account_token=self._account_tokens.text(grant.tokens.access, intent.user_id)
                if chosen
                else None,
                answer=success(intent, accounts, chosen),
                attempt=attempt(
                    "exchange", who=presented.who, clock=self._clock, began=presented.began
                ),
                at=now,
            )
        )

    async def _subject(
        self, known: Sequence[Known], said: str | None, accounts: Sequence[Account]
    ) -> str:
        """The advertisers of those we know, thousands perhaps, are read only where they matter."""
        reach: dict[str, set[str]] = {each.subject: set() for each in known}
        if said not in reach:
            for each in known:
                if said is None or each.subject.startswith(NAMELESS):
                    earlier = await self._store.connection(each.id)
                    reach[each.subject] = {a.id for a in earlier.accounts} if earlier else set()
        return subject_among(reach, said, {account.id for account in accounts})

    async def _ask(self, intent: Intent, grant: Grant) -> tuple[str | None, tuple[Account, ...]]:
        family = self._families[intent.family]
        asking = self._transport.ask(family.accounts(grant.tokens, subject=grant.subject))
        if intent.family != "marketing":
            async with _owned(asking) as asked:
                return grant.subject, await self._briefly(asked) or ()
        asking_whose = family.subject(grant.tokens) if grant.subject is None else None
        if asking_whose is None:
            return grant.subject, await asking
        began = self._clock.ticks()
        async with _owned(self._transport.ask(asking_whose)) as whose:
            accounts = await asking
            return await self._briefly(whose, self._clock.ticks() - began), accounts

    async def _briefly(self, asked: asyncio.Task[T], waited: float = 0.0) -> T | None:
        if not asked.done() and waited < BRIEFLY:
            async with _owned(self._clock.sleep(BRIEFLY - waited)) as patience:
                await asyncio.wait({asked, patience}, return_when=asyncio.FIRST_COMPLETED)
        try:
            return asked.result() if asked.done() else None
        except TikTokError as error:
            log.info("done without it because=%s", error.code)
            return None


@asynccontextmanager
async def _owned(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Never left behind running."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _subject_of_account(accounts: Sequence[Account], key: str) -> str:
    """Outside marketing the one account is the TikTok user; failing that, it is nobody we know."""
    return accounts[0].id if accounts else f"code:{key}"
