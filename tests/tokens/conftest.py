"""A new harness, or a new cluster, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.manual_clock import ManualClock
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP, Simulator
from tests.supabase_stack import Stack
from tiktok_simulator import STATE, build_simulator, serve_application

from .cluster import CLOCK_FILE, Cluster
from .harness import Replica, TokenHarness, open_harness
from .replicas import FileClock


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[TokenHarness]:
    async with open_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
async def replica(harness: TokenHarness) -> Replica:
    return await harness.start_replica()


@pytest.fixture
async def other(harness: TokenHarness, replica: Replica) -> Replica:
    return await harness.start_replica()


@pytest.fixture
def clock(tmp_path: Path) -> FileClock:
    clock = FileClock(tmp_path / CLOCK_FILE)
    clock.set_ahead(0)
    return clock


@pytest.fixture
async def cluster(stack: Stack, tmp_path: Path, clock: FileClock) -> AsyncIterator[Cluster]:
    stack.truncate()
    app = build_simulator(now=lambda: clock.now().timestamp(), apps=(BUSINESS_APP, LOGIN_KIT_APP))
    async with (
        serve_application(app) as url,
        ClientSession() as http,
        AsyncExitStack() as exit_stack,
    ):
        yield Cluster(stack, Simulator(url, app, ManualClock(), http), tmp_path, exit_stack)
        app[STATE].faults.clear()
