"""`connector refresh` reads the list of connections once, however the run is started."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from connector.cli.refresh import RefreshRun, run_refresh
from connector.cli.terminal import progress_bar
from connector.store.operations import PAGE_SIZE
from tests.tokens.harness import open_harness


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ({"all": False, "every": None}, 0),
        ({"all": False, "every": 720}, 1),
        ({"all": True, "every": None}, 1),
        ({"all": True, "every": 720}, 1),
    ],
    ids=str,
)
async def test_a_run_pages_through_the_connections_at_most_once(
    tmp_path: Path, options: dict[str, object], passes: int
) -> None:
    async with open_harness(tmp_path) as harness:
        replica = await harness.start_replica()
        await harness.connect_people(replica, PAGE_SIZE + 1)
        calls = replica.database.calls
        calls.clear()
        with progress_bar("Refreshing") as progress:
            run = RefreshRun(replica.service, progress)
            await run_refresh(replica.service, run, Namespace(id=None, **options))
        assert calls["list_connections"] == 2 * passes
