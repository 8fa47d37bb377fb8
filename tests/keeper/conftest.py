"""A fresh scene for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .scene import Replica, Scene, opened


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        yield scene


@pytest.fixture
async def replica(scene: Scene) -> Replica:
    return await scene.replica()


@pytest.fixture
async def other(scene: Scene, replica: Replica) -> Replica:
    return await scene.replica()
