"""A keeper under load in a process of its own, until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing.connection import Connection

from connector.app import House
from connector.clock import Clock
from connector.errors import ConnectorError
from connector.settings import Settings

AT_ONCE = 4


class Since(Clock):
    """As time passes here, from a moment that the test names."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = self.ticks()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.ticks() - self._began)


def live(settings: Settings, start: datetime, ids: Sequence[str], tell: Connection) -> None:
    asyncio.run(_live(settings, start, ids, tell))


async def _live(settings: Settings, start: datetime, ids: Sequence[str], tell: Connection) -> None:
    # Whoever started us holds the other end: should they be gone, so are we.
    asyncio.get_running_loop().add_reader(tell.fileno(), os._exit, 1)
    house = House.build(settings, clock=Since(start))
    async with house:
        tell.send("ready")
        round_and_round = itertools.cycle(ids)
        await asyncio.gather(*(_refresh(house, round_and_round) for _ in range(AT_ONCE)))


async def _refresh(house: House, ids: itertools.cycle[str]) -> None:
    for id in ids:
        with suppress(ConnectorError):
            await house.connections.refresh(id, of=None, who="load")
