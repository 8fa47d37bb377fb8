"""All wiring of the simulator, and nothing else.

`build` makes the application: `now` is the clock to follow, `apps` are registered from the start.
A test reaches the state as `app[WORLD]`; `serving` puts it on a port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, web

from . import (
    accounts,
    consent,
    controls,
    display,
    marketing,
    oauth,
    pages,
    posting,
    reporting,
    upload,
)
from .gate import COURIER, gate
from .grammar import WORLD
from .notices import Courier
from .nouns import App, Now
from .world import World

__all__ = ["WORLD", "build", "serving"]

# A consent for five thousand ad accounts is a form of some 200 kB.
_MOST_BYTES = 4 * 2**20
_ICON = pages.STATIC / "mark.svg"


def build(*, now: Now | None = None, apps: Iterable[App] = ()) -> web.Application:
    app = web.Application(middlewares=[gate], client_max_size=_MOST_BYTES)
    app[WORLD] = World(now=now, apps=apps)
    for room in (
        marketing,
        reporting,
        accounts,
        oauth,
        display,
        posting,
        upload,
        consent,
        controls,
    ):
        app.add_routes(room.ROUTES)
    app.router.add_get("/", _home)
    app.router.add_static("/_sim/static", Path(pages.STATIC))
    app.cleanup_ctx.append(_courier)
    app.on_shutdown.append(_let_go)
    return app


async def _home(_request: web.Request) -> web.Response:
    return pages.home()


async def _courier(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession() as session:
        app[COURIER] = courier = Courier(app[WORLD], session)
        yield
        await courier.close()


async def _let_go(app: web.Application) -> None:
    """Calls that hang on a fault would keep the server from stopping."""
    app[WORLD].faults.clear()


@asynccontextmanager
async def serving(
    app: web.Application, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serves until left, and tells its origin; port 0 takes a free one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1_024)
        await site.start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
