"""No flow leaves reference cycles. Under load, the garbage collector would use 5 % of the CPU for them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CoroutineType, FunctionType

import pytest
from aiohttp import ClientSession

from connector.app import Service
from tests.database_views import supabase_view
from tests.running_service import (
    AS_SERVER,
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
    stop_background_loops,
)

FLOWS = 5
DAY = 24 * 3600


@pytest.fixture
async def own_simulator() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@contextmanager
def collected_names() -> Iterator[list[str]]:
    """Yields a list that afterwards names our objects that only the garbage collector could free."""
    collected: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield collected
        gc.collect()
        collected += [name for name in map(name_of, gc.garbage) if name.startswith("connector.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def name_of(item: object) -> str:
    if isinstance(item, FunctionType):
        return f"{item.__module__}.{item.__qualname__}"
    if isinstance(item, CoroutineType):
        frame_module = item.cr_frame.f_globals["__name__"] if item.cr_frame else "finished"
        return f"{frame_module}.{item.__qualname__}"
    return f"{type(item).__module__}.{type(item).__qualname__}"


@pytest.mark.parametrize("kind", ["sqlite", "supabase", "postgres"])
async def test_exchanges_reads_and_refreshes_leave_no_reference_cycles(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    own_simulator: Simulator,
    http: ClientSession,
    kind: str,
) -> None:
    database = {}
    if kind != "sqlite":
        database = supabase_view(request.getfixturevalue("stack"), kind).environ
    settings = settings_for(tmp_path, own_simulator.url, **database)
    service = Service.build(settings, clock=own_simulator.clock)
    async with serving(service) as url:
        stop_background_loops()

        async def read_token(connection_id: str) -> None:
            token_url = f"{url}/connections/{connection_id}/token"
            async with http.get(token_url, headers=AS_SERVER) as response:
                assert response.status == 200, await response.text()

        async def use_each_family() -> None:
            for family in ("marketing", "accounts", "login_kit"):
                reply = await connect_account(http, url, own_simulator, family=family)
                await read_token(reply["connection_id"])
                own_simulator.clock.advance(DAY)
                await read_token(reply["connection_id"])

        await use_each_family()
        with collected_names() as collected:
            for _ in range(FLOWS):
                await use_each_family()
    assert collected == []
