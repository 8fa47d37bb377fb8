"""Counts the distinct functions of `connector` that one exchange, one refresh and one token read run.

    python -m tools.count_functions [--list]

The service runs on SQLite against the simulator, in this process; every thread has a profile hook.
Each flow runs once before the count, so that imports and caches do not count. A short call path is
easier to read. The counts are in docs/architecture.md; no test checks them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from aiohttp import ClientSession

import connector
from connector.app import Service
from tests.running_service import (
    AS_SERVER,
    connect_account,
    running_simulator,
    serving,
    settings_for,
    state_for,
    stop_background_loops,
)

PACKAGE = str(Path(connector.__file__).parent)
HOUR = 3600


class Recorder:
    """Records by module the functions that are called while `is_on` is true."""

    def __init__(self) -> None:
        self.functions: dict[str, set[str]] = defaultdict(set)
        self.is_on = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if self.is_on and event == "call" and code.co_filename.startswith(PACKAGE):
            module = code.co_filename.removeprefix(PACKAGE).lstrip("/")
            # A comprehension or a lambda belongs to the function around it.
            if not code.co_name.startswith("<"):
                self.functions[module].add(code.co_qualname)

    async def count(self, flow: Callable[[], Awaitable[None]]) -> dict[str, set[str]]:
        self.functions = defaultdict(set)
        self.is_on = True
        await flow()
        self.is_on = False
        return self.functions


async def measure(recorder: Recorder, directory: Path) -> dict[str, dict[str, set[str]]]:
    async with running_simulator() as simulator, ClientSession() as http:
        service = Service.build(settings_for(directory, simulator.url), clock=simulator.clock)
        async with serving(service) as url:
            stop_background_loops()
            await connect_account(http, url, simulator)
            login = await connect_account(http, url, simulator, family="login_kit")
            token_url = f"{url}/connections/{login['connection_id']}/token"

            async def read() -> None:
                async with http.get(token_url, headers=AS_SERVER) as response:
                    assert response.status == 200, await response.text()

            async def exchange() -> None:
                async with http.post(f"{url}/oauth/exchange", json=body) as response:
                    assert response.status == 200, await response.text()

            await read()
            simulator.clock.advance(2 * HOUR)
            await read()
            simulator.clock.advance(2 * HOUR)
            refresh_counts = await recorder.count(read)
            body = {"state": await state_for(http, url), "code": await simulator.consent()}
            return {
                "one exchange": await recorder.count(exchange),
                "one token refresh": refresh_counts,
                "one fresh token read": await recorder.count(read),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--list", action="store_true", help="also print the names of the functions")
    options = parser.parse_args()
    recorder = Recorder()
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    with tempfile.TemporaryDirectory() as directory:
        flows = asyncio.run(measure(recorder, Path(directory)))
    sys.setprofile(None)
    for flow, modules in flows.items():
        functions = sum(len(names) for names in modules.values())
        print(f"{flow}: {functions} functions in {len(modules)} modules")
        if options.list:
            for module, names in sorted(modules.items()):
                print(f"  {module}: {', '.join(sorted(names))}")


if __name__ == "__main__":
    main()
