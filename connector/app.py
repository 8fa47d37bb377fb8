"""The composition root: all wiring, nothing else.

`House.build` puts the parts together and touches nothing; `async with house` opens the store and
the journal and replays what was left; `house.application()` is the service, background included.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .choosing import AccountTokens
from .clock import Clock
from .connecting import Connecting
from .connections import Connections
from .errands import Errands
from .errors import ConnectorError
from .exchange import Exchange
from .identity import Identity, Jwks
from .intent import Intents
from .janitor import Janitor
from .journal import Journal
from .keeper import MOST_AT_ONCE, Keeper
from .metrics import Metrics
from .seal import Seal
from .settings import Settings, local_keys
from .store import Database, Store
from .store.sqlite import SQLite
from .tiktok import FAMILIES, App, Family, LoginKit
from .transport import Transport
from .web import keys
from .web.routes import application

log = logging.getLogger(__name__)


@dataclass
class House:
    settings: Settings
    clock: Clock
    database: Database
    store: Store
    seal: Seal
    journal: Journal
    transport: Transport
    families: dict[str, Family]
    intents: Intents
    jwks: Jwks | None
    identity: Identity
    keeper: Keeper
    exchange: Exchange
    connections: Connections
    metrics: Metrics
    demo: bool = False
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    @classmethod
    def build(cls, settings: Settings, *, clock: Clock | None = None, demo: bool = False) -> Self:
        clock = clock or Clock()
        chance = Random()  # noqa: S311 - spreads load, guards nothing
        seal = Seal(settings.encryption_keys or local_keys(settings.database))
        store = Store(database := _database(settings))
        journal = Journal(settings.journal)
        # More than the background may use: while it hangs, an exchange still gets through.
        transport = Transport(clock, connections_per_host=MOST_AT_ONCE + 64)
        families = _families(settings)
        account_tokens = AccountTokens(settings.user_accounts_token, seal)
        metrics = Metrics()
        errands = Errands(
            families=families,
            transport=transport,
            journal=journal,
            seal=seal,
            clock=clock,
            probe_every=settings.probe_every,
            chance=chance,
            observe=metrics.attempted,
        )
        keeper = Keeper(store=store, journal=journal, errands=errands, seal=seal, clock=clock)
        connecting = Connecting(
            families=families,
            transport=transport,
            store=store,
            seal=seal,
            clock=clock,
            account_tokens=account_tokens,
            probe_every=settings.probe_every,
            chance=chance,
        )
        jwks = Jwks(settings.jwks_url, clock=clock) if settings.jwks_url else None
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            store=store,
            seal=seal,
            journal=journal,
            transport=transport,
            families=families,
            intents=Intents(
                seal.derive("state"),
                clock=clock,
                max_age=settings.state_max_age,
                accept_unsigned=settings.accept_unsigned_state,
                default_redirect_uri=settings.redirect_uris[0],
                families=families,
            ),
            jwks=jwks,
            identity=Identity(
                api_keys=settings.api_keys,
                ticket_keys=seal.derive("ticket"),
                jwt_secret=settings.supabase_jwt_secret,
                jwks=jwks,
                issuer=settings.issuer,
                clock=clock,
            ),
            keeper=keeper,
            exchange=Exchange(
                families=families,
                transport=transport,
                store=store,
                journal=journal,
                seal=seal,
                clock=clock,
                connecting=connecting,
                observe=metrics.attempted,
            ),
            connections=Connections(
                store=store, keeper=keeper, clock=clock, account_tokens=account_tokens
            ),
            metrics=metrics,
            demo=demo,
        )

    async def __aenter__(self) -> Self:
        # What was opened before a failure is closed again, as it is in the end.
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.transport.close)
            if self.jwks is not None:
                opening.push_async_callback(self.jwks.close)
            await self.database.open()
            opening.push_async_callback(self.database.close)
            await self.journal.open()
            opening.push_async_callback(self.journal.close)
            opening.push_async_callback(self.keeper.close)
            opening.push_async_callback(self.exchange.close)
            await self._replay()
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def _replay(self) -> None:
        for part in (self.keeper, self.exchange):
            try:
                await part.replay()
            except ConnectorError as error:
                log.warning("journal not replayed yet because=%s", error.code)

    def application(self) -> web.Application:
        app = application()
        app[keys.OPTIONS] = keys.Options(
            public_url=self.settings.public_url,
            redirect_uris=self.settings.redirect_uris,
            allowed_origins=self.settings.allowed_origins,
            return_access_token=self.settings.return_access_token,
            demo=self.demo,
        )
        app[keys.CLOCK] = self.clock
        app[keys.FAMILIES] = self.families
        app[keys.INTENTS] = self.intents
        app[keys.IDENTITY] = self.identity
        app[keys.EXCHANGE] = self.exchange
        app[keys.CONNECTIONS] = self.connections
        app[keys.STORE] = self.store
        app[keys.JOURNAL] = self.journal
        app[keys.METRICS] = self.metrics
        app.cleanup_ctx.append(self._background)
        return app

    async def _background(self, app: web.Application) -> AsyncIterator[None]:
        janitor = Janitor(exchange=self.exchange, store=self.store, clock=self.clock)
        async with self:
            loops = [_owned(self.keeper.run()), _owned(janitor.run())]
            yield
            for loop in loops:
                loop.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await loop


def _owned(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)


def _database(settings: Settings) -> Database:
    if settings.supabase_db_url is not None:
        # Imported here: each of the two costs a quarter of a second, and most need neither.
        from .store.postgres import Postgres

        return Postgres(settings.supabase_db_url)
    if settings.supabase_url is not None and settings.supabase_service_role_key is not None:
        from .store.supabase import Supabase

        return Supabase(settings.supabase_url, settings.supabase_service_role_key)
    return SQLite(settings.database)


def _families(settings: Settings) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for family in FAMILIES:
        mine = family is LoginKit
        id = settings.client_key if mine else settings.app_id
        secret = settings.client_secret if mine else settings.app_secret
        if id is None or secret is None:
            continue
        app = App(
            id=id,
            secret=secret,
            api=settings.open_api_url if mine else settings.business_api_url,
            consent=settings.business_consent_url
            if family.name == "marketing"
            else settings.consent_url,
            # What marketing asks for stands in the app's own settings at TikTok.
            scopes=() if family.name == "marketing" else settings.scopes,
        )
        families[family.name] = family(app)
    return families
