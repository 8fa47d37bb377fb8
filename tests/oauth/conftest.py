"""Each test runs on both databases, in front of a simulator that has just started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.database_views import DatabaseView, sqlite_view, supabase_view
from tests.running_service import Simulator, running_simulator

from .harness import ExchangeHarness, running_process


@pytest.fixture(params=["sqlite", "supabase"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseView:
    if request.param == "sqlite":
        return sqlite_view(tmp_path / "connector.db")
    return supabase_view(request.getfixturevalue("stack"), request.param)


@pytest.fixture
def supabase(request: pytest.FixtureRequest) -> DatabaseView:
    return supabase_view(request.getfixturevalue("stack"), "supabase")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as running:
        yield running


@pytest.fixture
async def harness(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> AsyncIterator[ExchangeHarness]:
    async with running_process(database, simulator, tmp_path / "first") as process:
        yield process


@pytest.fixture
def refused_code(supabase: DatabaseView) -> Iterator[None]:
    supabase.script(
        "alter table connector.codes add constraint refuse_code check (code_hash <> 'refused')"
    )
    yield
    supabase.script("alter table connector.codes drop constraint refuse_code")
