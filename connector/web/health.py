"""Whether we live, whether we can work, and what was counted."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from aiohttp import web

from connector.clock import Clock
from connector.errors import ConnectorError, JournalUnwritable
from connector.store import Census, Store

from . import keys
from .bodies import Health

CENSUS_AGE = timedelta(seconds=30)


class Counting:
    """The store's census, which looks at every row, taken at most twice a minute."""

    def __init__(self) -> None:
        self._taken_at: datetime | None = None
        self._census: list[Census] = []
        self._taking = asyncio.Lock()

    async def census(self, store: Store, clock: Clock) -> list[Census]:
        async with self._taking:
            now = clock.now()
            if self._taken_at is None or now - self._taken_at >= CENSUS_AGE:
                self._census = await store.census()
                self._taken_at = now
            return self._census


COUNTING = web.AppKey("counting", Counting)


async def healthz(request: web.Request) -> Health:
    """The process is alive."""
    return Health(status="ok")


async def readyz(request: web.Request) -> Health:
    """The store answers, its schema fits, and the journal can be written."""
    await request.app[keys.STORE].ready()
    trouble = request.app[keys.JOURNAL].trouble
    if trouble is not None:
        raise JournalUnwritable(trouble)
    return Health(status="ready")


async def metrics(request: web.Request) -> web.Response:
    """What was counted, for Prometheus."""
    app = request.app
    counted, journal = app[keys.METRICS], app[keys.JOURNAL]
    try:
        counted.counted(await app[COUNTING].census(app[keys.STORE], app[keys.CLOCK]))
    except ConnectorError:
        counted.counted(())  # The store is away, and that is when one looks at the rest.
    counted.journal(held=journal.held, in_trouble=journal.trouble is not None)
    return web.Response(
        body=counted.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
