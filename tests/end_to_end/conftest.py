"""Real processes, real time and real sockets, with the simulator as TikTok.

Starting a process is slow, so a process serves all tests of a module. Each test has its own user and
starts with an empty simulator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.manual_clock import ManualClock
from tests.running_service import Simulator, running_simulator

from .service_process import NewService, ServiceProcess


@pytest.fixture(scope="module")
async def tiktok() -> AsyncIterator[Simulator]:
    async with running_simulator(ManualClock(datetime.now(UTC))) as running:
        yield running


@pytest.fixture
def simulator(tiktok: Simulator) -> Simulator:
    tiktok.state.reset()
    return tiktok


@pytest.fixture
def user() -> UserId:
    return UserId(str(uuid4()))


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture(scope="module")
def new_service(
    tiktok: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewService]:
    """Creates services, each with its own folder, and stops them at the end of the module."""
    with ExitStack() as services:

        def create(name: str, **environ: str) -> ServiceProcess:
            service = ServiceProcess(tmp_path_factory.mktemp(name), tiktok.url, **environ)
            services.callback(service.stop)
            return service

        yield create
