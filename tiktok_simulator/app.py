"""Builds the web application from its parts, and serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from . import (
    accounts,
    consent_flow,
    control_api,
    display,
    marketing,
    open_api_oauth,
    page_rendering,
    posting,
    reporting,
    upload,
)
from .api_call import STATE
from .middleware import WEBHOOK_SENDER, log_and_apply_faults
from .model import App, TimeSource
from .state import SimulatorState
from .webhooks import WebhookSender

# The consent form of 5,000 ad accounts has about 200 kB.
_MAX_BODY_BYTES = 4 * 2**20
_ENDPOINT_MODULES = (
    marketing,
    reporting,
    accounts,
    open_api_oauth,
    display,
    posting,
    upload,
    consent_flow,
    control_api,
)


def build_simulator(*, now: TimeSource | None = None, apps: Iterable[App] = ()) -> web.Application:
    """`now` is the time source (default: the system clock). `apps` are registered immediately."""
    application = web.Application(
        middlewares=[log_and_apply_faults], client_max_size=_MAX_BODY_BYTES
    )
    application[STATE] = SimulatorState(now=now, apps=apps)
    for module in _ENDPOINT_MODULES:
        application.add_routes(module.ROUTES)
    application.router.add_get("/", _start_page)
    application.router.add_static("/_sim/static", page_rendering.STATIC_FOLDER)
    application.cleanup_ctx.append(_webhook_sender)
    application.on_shutdown.append(_release_hanging_calls)
    return application


async def _start_page(_request: web.Request) -> web.Response:
    return page_rendering.start_page()


async def _webhook_sender(application: web.Application) -> AsyncIterator[None]:
    async with ClientSession() as session:
        sender = WebhookSender(application[STATE], session)
        application[WEBHOOK_SENDER] = sender
        yield
        await sender.close()


async def _release_hanging_calls(application: web.Application) -> None:
    """A call that hangs because of a fault would prevent the server from stopping."""
    application[STATE].faults.clear()


@asynccontextmanager
async def serve_application(
    application: web.Application, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serves until the context ends, and yields the origin. Port 0 means any free port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1_024)
        await site.start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
