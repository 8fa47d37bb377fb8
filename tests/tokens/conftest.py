"""A new harness for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .harness import Replica, TokenHarness, open_harness


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
