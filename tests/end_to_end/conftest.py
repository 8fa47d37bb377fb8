"""Real processes, real time, real sockets; only TikTok is ours.

Processes are dear, so they stay for a whole module. Each test has a user of its own, and a TikTok
that has forgotten everything before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.clocks import TurnedClock
from tests.houses import Simulator, running_simulator

from .service import Service


class Founding(Protocol):
    def __call__(self, name: str, **environ: str) -> Service: ...


@pytest.fixture(scope="module")
async def tiktok() -> AsyncIterator[Simulator]:
    async with running_simulator(TurnedClock(datetime.now(UTC))) as running:
        yield running


@pytest.fixture
def simulator(tiktok: Simulator) -> Simulator:
    tiktok.world.reset()
    return tiktok


@pytest.fixture
def user() -> UserId:
    return UserId(str(uuid4()))


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture(scope="module")
def founding(tiktok: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Founding]:
    """Makes a service with a directory of its own; none of them outlives the module."""
    with ExitStack() as leaving:

        def found(name: str, **environ: str) -> Service:
            service = Service(tmp_path_factory.mktemp(name), tiktok.url, **environ)
            leaving.callback(service.stop)
            return service

        yield found
