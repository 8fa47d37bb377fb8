"""A bare aiohttp handler that returns a constant: the upper limit of any aiohttp service.

It uses uvloop, like the service, and returns the same token response to each request.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import uvloop
from aiohttp import web

BODY = (
    b'{"access_token":"act.1234567890.0123456789012345678901234567890123456789012345678",'
    b'"expires_at":"2026-11-27T12:00:00.000000+00:00","scopes":["user.info.basic"],'
    b'"family":"login_kit","connection_id":"6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60"}'
)


async def respond(request: web.Request) -> web.Response:
    return web.Response(body=BODY, content_type="application/json")


async def main() -> None:
    application = web.Application()
    application.router.add_get("/connections/{id}/token", respond)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    gc.freeze()
    await stopped.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())
