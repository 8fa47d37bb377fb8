"""The parts of `connector.events` on a real store, with real HTTP and a clock that the test advances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from pydantic import SecretStr

from connector.clock import Clock
from connector.encryption import EncryptionKey, TokenCipher
from connector.events import EndpointWithSecret, Events
from connector.events.retry_schedule import PAUSES
from connector.metrics import Metrics
from connector.store import Store
from tests.manual_clock import ManualClock
from tests.store.builders import connect

CIPHER_KEY = EncryptionKey.generate("k1")
CIPHER = TokenCipher((CIPHER_KEY,))


class EventsUnderTest:
    """One process that delivers events. Several on one store are several replicas."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        cipher: TokenCipher = CIPHER,
        pauses: tuple[float, ...] = PAUSES,
        url: str | None = None,
        secret: SecretStr | None = None,
        has_foreground_requests: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store = store
        self.clock = clock
        self.metrics = Metrics()
        parts = Events.build(
            store=store,
            cipher=cipher,
            metrics=self.metrics,
            clock=clock,
            random=Random(7),
            has_foreground_requests=has_foreground_requests,
            allow_loopback=True,
            url=url,
            secret=secret,
            pauses=pauses,
        )
        self.endpoints, self.feed, self.dispatcher = parts.endpoints, parts.feed, parts.dispatcher
        self.close = parts.close

    async def deliver(self) -> None:
        """Numbers all events, and sends what is due at the time of the clock, once."""
        if await self.dispatcher.numbering.run_once():
            self.dispatcher.request_lease()
        await self.dispatcher.settle_and_lease()
        while self.dispatcher.has_requests:
            await self.dispatcher.wait_for_requests()
            await self.dispatcher.settle_and_lease()

    async def create(
        self, url: str, events: Sequence[str] = ("connection.*",)
    ) -> EndpointWithSecret:
        return await self.endpoints.create(url=url, events=events)

    async def write_events(self, count: int = 1) -> None:
        """Writes `connection.connected` so many times."""
        for _ in range(count):
            await connect(self.store, now=self.clock.database_time())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stopped = asyncio.Event()
        task = asyncio.create_task(self.dispatcher.run_until(stopped))
        try:
            yield
        finally:
            stopped.set()
            await task


@asynccontextmanager
async def events_on(
    store: Store, clock: Clock | None = None, **options: object
) -> AsyncIterator[EventsUnderTest]:
    events = EventsUnderTest(store, clock or ManualClock(), **options)  # type: ignore[arg-type]  # passed on
    try:
        yield events
    finally:
        await events.close()
