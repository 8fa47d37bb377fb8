"""The composition root: builds every part from the settings, starts and stops them.

`Service.build` builds the parts and opens nothing. `async with service` opens the store and the journal,
and recovers the journal entries of dead processes. `service.web_application()` returns the web application,
which opens the service and runs its background loops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Self

from aiohttp import web

from .advertisers import UserAccountsToken
from .audit import AuditLog
from .clock import Clock
from .concurrency import scoped_task
from .connections import ConnectionService, ConnectionStatistics
from .encryption import TokenCipher
from .events import Events
from .identity import Authenticator, BrowserSessions, CredentialLimiter, IssuerTokens, JwksCache
from .journal import Journal
from .maintenance import CleanupJob, recover_journal, run_periodic_work
from .metrics import Metrics
from .oauth import CONNECTIONS_FOR_EXCHANGES, CodeExchange, ConnectionCreator, OAuthStates
from .service_warnings import ServiceWarnings, database_warnings
from .settings import Settings, build_families, load_or_create_keys
from .store import Database, Store, select_database
from .tiktok import ApiFamily
from .tiktok_client import TikTokClient
from .tokens import (
    MAX_CONCURRENT_REFRESHES,
    MAX_REFRESH_LEASE,
    BackgroundRefresher,
    OutcomeWriter,
    RefreshLeases,
    TokenAccess,
    TokenOperations,
    TokenRecovery,
    TokenRefresher,
)
from .web import HttpSettings, build_application
from .webhooks import WebhookReceiver


@dataclass
class Service:
    settings: Settings
    clock: Clock
    database: Database
    store: Store
    cipher: TokenCipher
    journal: Journal
    tiktok_client: TikTokClient
    families: dict[str, ApiFamily]
    oauth_states: OAuthStates
    other_issuers: tuple[IssuerTokens, ...]
    authenticator: Authenticator
    credential_limiter: CredentialLimiter
    sessions: BrowserSessions
    tokens: TokenAccess
    token_refresher: TokenRefresher
    background_refresher: BackgroundRefresher
    token_recovery: TokenRecovery
    refresh_leases: RefreshLeases
    code_exchange: CodeExchange
    connections: ConnectionService
    statistics: ConnectionStatistics
    webhooks: WebhookReceiver
    events: Events
    metrics: Metrics
    audit: AuditLog
    warnings: ServiceWarnings
    demo: bool = False
    hold: bool = False
    """Uses no token and no code: no background runs, and TikTok is not called."""

    _exit_stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        demo: bool = False,
        hold: bool = False,
    ) -> Self:
        clock = clock or Clock()
        random = Random()  # noqa: S311 - spreads load and protects no secret
        cipher = TokenCipher(settings.encryption_keys or load_or_create_keys(settings.database))
        database = select_database(
            sqlite_path=settings.database,
            supabase_url=settings.supabase_url,
            supabase_key=settings.supabase_service_role_key,
            postgres_address=settings.supabase_db_url,
        )
        store = Store(database)
        journal = Journal(settings.journal)
        tiktok_client = TikTokClient(
            clock,
            connections_per_host=MAX_CONCURRENT_REFRESHES + CONNECTIONS_FOR_EXCHANGES,
            proxy=settings.tiktok_proxy,
        )
        families = build_families(settings)
        user_accounts_token = UserAccountsToken(settings.user_accounts_token, cipher)
        metrics = Metrics()
        outcome_writer = OutcomeWriter(store=store, journal=journal, clock=clock)
        code_exchange = CodeExchange(
            families=families,
            tiktok_client=tiktok_client,
            store=store,
            journal=journal,
            cipher=cipher,
            clock=clock,
            connection_creator=ConnectionCreator(
                families=families,
                tiktok_client=tiktok_client,
                store=store,
                cipher=cipher,
                clock=clock,
                user_accounts_token=user_accounts_token,
                probe_every=settings.probe_every,
                random=random,
            ),
            observe=metrics.record_attempt,
            on_limited=metrics.record_limited_request,
        )
        token_recovery = TokenRecovery(
            store=store,
            journal=journal,
            outcome_writer=outcome_writer,
            clock=clock,
            max_lease=MAX_REFRESH_LEASE,
            recover_grants=code_exchange.pending_grants.recover,
        )
        leases = RefreshLeases(
            store=store,
            outcome_writer=outcome_writer,
            recovery=token_recovery,
            journal=journal,
            clock=clock,
        )
        token_refresher = TokenRefresher(
            store=store,
            leases=leases,
            operations=TokenOperations(
                families=families,
                tiktok_client=tiktok_client,
                journal=journal,
                cipher=cipher,
                user_accounts_token=user_accounts_token,
                clock=clock,
                probe_every=settings.probe_every,
                random=random,
            ),
            outcome_writer=outcome_writer,
            recovery=token_recovery,
            clock=clock,
            observe=metrics.record_attempt,
            hold=hold,
        )
        webhooks = WebhookReceiver(families, store=store, clock=clock, count=metrics.record_webhook)
        tokens = TokenAccess(
            refresher=token_refresher, outcome_writer=outcome_writer, cipher=cipher, clock=clock
        )
        jwks = JwksCache(settings.jwks_url, clock=clock) if settings.jwks_url else None
        other_issuers = tuple(IssuerTokens(issuer, clock=clock) for issuer in settings.jwt_issuers)
        authenticator = Authenticator(
            api_keys=settings.api_keys,
            ticket_keys=cipher.derive_signing_keys("ticket"),
            jwt_secret=settings.supabase_jwt_secret,
            jwks=jwks,
            issuer=settings.issuer,
            clock=clock,
            other_issuers=other_issuers,
        )
        return cls(
            settings=settings,
            clock=clock,
            database=database,
            store=store,
            cipher=cipher,
            journal=journal,
            tiktok_client=tiktok_client,
            families=families,
            oauth_states=OAuthStates(
                cipher.derive_signing_keys("state"),
                clock=clock,
                max_age=settings.state_max_age,
                accept_unsigned=settings.accept_unsigned_state,
                default_redirect_uri=settings.redirect_uris[0],
                families=families,
            ),
            other_issuers=other_issuers,
            authenticator=authenticator,
            credential_limiter=CredentialLimiter(
                clock=clock, on_limited=metrics.record_limited_request
            ),
            sessions=BrowserSessions(tickets=authenticator.tickets, store=store, clock=clock),
            tokens=tokens,
            token_refresher=token_refresher,
            background_refresher=BackgroundRefresher(
                refresher=token_refresher, leases=leases, clock=clock
            ),
            token_recovery=token_recovery,
            refresh_leases=leases,
            code_exchange=code_exchange,
            connections=ConnectionService(
                store=store,
                tokens=tokens,
                refresher=token_refresher,
                clock=clock,
                user_accounts_token=user_accounts_token,
            ),
            statistics=ConnectionStatistics(store=store, clock=clock),
            webhooks=webhooks,
            events=Events.build(
                store=store,
                cipher=cipher,
                metrics=metrics,
                clock=clock,
                random=random,
                has_foreground_requests=token_refresher.background_limit.has_foreground_requests,
                private_networks=settings.private_networks,
                allow_loopback=demo,
                url=settings.webhook_url,
                secret=settings.webhook_secret,
            ),
            metrics=metrics,
            audit=AuditLog(
                store=store, clock=clock, on_dropped=metrics.record_dropped_audit_entries
            ),
            warnings=ServiceWarnings(database_warnings(store), clock=clock),
            demo=demo,
            hold=hold,
        )

    async def __aenter__(self) -> Self:
        # If a step fails, the steps before it are undone in reverse order, as on exit.
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self.tiktok_client.close)
            opening.push_async_callback(self.events.close)
            opening.push_async_callback(self.authenticator.close)
            await self.database.open()
            opening.push_async_callback(self.database.close)
            opening.push_async_callback(self.audit.close)
            await self.journal.open()
            opening.push_async_callback(self.journal.close)
            opening.push_async_callback(self.refresh_leases.release_all)
            opening.push_async_callback(self.token_recovery.close)
            opening.push_async_callback(self.token_refresher.wait_until_idle)
            opening.push_async_callback(self.code_exchange.close)
            await recover_journal(
                self.journal, token_recovery=self.token_recovery, code_exchange=self.code_exchange
            )
            self._exit_stack = opening.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._exit_stack.aclose()

    def web_application(self) -> web.Application:
        http_settings = HttpSettings(
            public_url=self.settings.public_url,
            redirect_uris=self.settings.redirect_uris,
            allowed_origins=self.settings.allowed_origins,
            trusted_proxies=self.settings.trusted_proxies,
            return_access_token=self.settings.return_access_token,
            require_user=self.settings.require_user,
            demo=self.demo,
            hold=self.hold,
        )
        app = build_application(self, http_settings)
        app.cleanup_ctx.append(self._run_in_background)
        return app

    async def _run_in_background(self, app: web.Application) -> AsyncIterator[None]:
        audit, warnings = self.audit.run_forever(), self.warnings.run_forever()
        async with self, scoped_task(audit), scoped_task(warnings):
            if self.hold:
                yield
                return
            stopped = asyncio.Event()
            loops = (
                self.background_refresher.run_until(stopped),
                self.token_recovery.adopt_until(stopped),
                self.events.dispatcher.run_until(stopped),
            )
            running = asyncio.gather(*loops, return_exceptions=True)
            cleanup = CleanupJob(store=self.store, clock=self.clock)
            async with scoped_task(run_periodic_work(self.code_exchange, cleanup, self.clock)):
                yield
            stopped.set()
            await running
