"""Listens for HTTP requests. All errors have the same JSON shape.

aiohttp responds to two kinds of requests before any middleware runs: a request that its parser rejects,
and a request with an unknown `Expect` header. Its plain-text response and its log line quote the request,
which may contain a code or a ticket. `RequestHandler` sends both requests through the middleware instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.http import HttpProcessingError

from .app_keys import IS_MALFORMED
from .middleware import request_middleware
from .request_parsing import MAX_LINE_BYTES

log = logging.getLogger(__name__)

LISTEN_BACKLOG = 1024
CONNECTION_OPTIONS: dict[str, Any] = {
    "logger": log,
    "access_log": None,  # The middleware logs requests.
    "max_line_size": MAX_LINE_BYTES,
    "max_field_size": MAX_LINE_BYTES,
}


class ListenError(OSError):
    """The operating system refused the address."""


@asynccontextmanager
async def listen(
    app: web.Application,
    host: str,
    port: int,
    *,
    shutdown_timeout: float,
) -> AsyncIterator[list[tuple[str, int]]]:
    """Yields the listen addresses. On exit, `shutdown_timeout` limits the wait for running requests."""
    runner = web.AppRunner(app, shutdown_timeout=shutdown_timeout)
    try:
        await runner.setup()
        assert runner.server is not None  # noqa: S101
        handler_factory = partial(RequestHandler, runner.server)
        listener = await _bind(handler_factory, host, port)
        try:
            yield [socket.getsockname()[:2] for socket in listener.sockets]
        finally:
            listener.close()
    finally:
        await runner.cleanup()


async def _bind(
    handler_factory: Callable[[], RequestHandler], host: str, port: int
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(handler_factory, host, port, backlog=LISTEN_BACKLOG)
    except OSError as error:
        raise ListenError(error.errno, error.strerror) from None


class RequestHandler(web.RequestHandler):
    """One connection. Only public methods of aiohttp are overridden."""

    __slots__ = ("dispatch",)

    def __init__(self, server: web.Server) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **CONNECTION_OPTIONS)
        self.dispatch: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = (
            server.request_handler
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError):
            # aiohttp could not parse the bytes, so `request` is an empty request.
            request[IS_MALFORMED] = True
            return web.Response(status=400)  # `finish_response` replaces it.
        return super().handle_error(request, status, exc, message)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if IS_MALFORMED in request:
            resp = await self.dispatch(request)
            resp.force_close()
        elif isinstance(resp, web.HTTPException) and isinstance(request, web.Request):
            # The middleware handles every exception after it, so this one was raised before it.
            resp = await request_middleware(request, partial(_raise, error=resp))
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # aiohttp reads the rest of a body after the response. A broken body is not a bug of the service.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


async def _raise(_: web.Request, *, error: web.HTTPException) -> NoReturn:
    raise error
