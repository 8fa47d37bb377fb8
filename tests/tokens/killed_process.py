"""A process that refreshes tokens under load until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing.connection import Connection

from connector.app import Service
from connector.clock import Clock
from connector.connections import Scope
from connector.errors import ConnectorError
from connector.settings.table import Settings

CONCURRENT_REFRESHES = 4


class ShiftedClock(Clock):
    """Runs at normal speed and starts at a time that the test sets."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._started = self.ticks()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.ticks() - self._started)

    def database_time(self) -> datetime:
        return self.now()


def run(settings: Settings, start: datetime, ids: Sequence[str], parent: Connection) -> None:
    asyncio.run(_run(settings, start, ids, parent))


async def _run(settings: Settings, start: datetime, ids: Sequence[str], parent: Connection) -> None:
    # Readable when the parent process has ended: then this process must end too.
    asyncio.get_running_loop().add_reader(parent.fileno(), os._exit, 1)
    service = Service.build(settings, clock=ShiftedClock(start))
    async with service:
        parent.send("ready")
        endless_ids = itertools.cycle(ids)
        await asyncio.gather(*(_refresh(service, endless_ids) for _ in range(CONCURRENT_REFRESHES)))


async def _refresh(service: Service, connection_ids: itertools.cycle[str]) -> None:
    for connection_id in connection_ids:
        with suppress(ConnectorError):
            await service.connections.refresh(connection_id, scope=Scope.everyone(), actor="load")
