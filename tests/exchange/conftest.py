"""Every scene is played on both stores, in front of a TikTok that has just come up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.houses import Simulator, running_simulator
from tests.places import Place, in_file, in_stack

from .scene import Scene, at


@pytest.fixture(params=["sqlite", "supabase"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return in_file(tmp_path / "connector.db")
    return in_stack(request.getfixturevalue("stack"), request.param)


@pytest.fixture
def supabase(request: pytest.FixtureRequest) -> Place:
    return in_stack(request.getfixturevalue("stack"), "supabase")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as running:
        yield running


@pytest.fixture
async def scene(place: Place, simulator: Simulator, tmp_path: Path) -> AsyncIterator[Scene]:
    async with at(place, simulator, tmp_path / "first") as opened:
        yield opened
