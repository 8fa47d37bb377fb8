"""Listens for HTTP requests. All errors have the same JSON shape.

aiohttp responds to two kinds of requests before any middleware runs: a request that its parser rejects,
and a request with an unknown `Expect` header. Its plain-text response and its log line quote the request,
which may contain a code or a ticket. `RequestHandler` sends both requests through the middleware instead.

A connection that is idle, or that does not send a complete header, is closed. Otherwise such connections would
use up the file descriptors of the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion10, HttpVersion11

from .app_keys import IS_MALFORMED, REQUEST_ID
from .middleware import request_middleware
from .request_parsing import MAX_LINE_BYTES

log = logging.getLogger(__name__)

LISTEN_BACKLOG = 1024
VERSIONS = (HttpVersion10, HttpVersion11)
KEEP_ALIVE_SECONDS = 75.0
"""An idle connection is closed. Longer than the 60 seconds of common proxies, which then close first."""

HEADER_SECONDS = 30.0
"""From the first byte of a request, or from the start of the connection, to the end of the header."""
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
        _note_headers(runner.server)
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


def _note_headers(server: web.Server) -> None:
    """aiohttp calls the request factory when a header is complete, also if the header is malformed.

    aiohttp also accepts HTTP/0.9 and HTTP/2.0, which this service does not speak, and repeats the version in
    its response. Such a request is malformed, and its response has a version that exists.
    """
    create_request = server.request_factory

    def request_factory(
        message: Any, payload: Any, protocol: web.RequestHandler, *arguments: Any
    ) -> web.BaseRequest:
        assert isinstance(protocol, RequestHandler)  # noqa: S101
        protocol.note_complete_header()
        if message.version in VERSIONS:
            return create_request(message, payload, protocol, *arguments)
        message = message._replace(method="-", version=HttpVersion10)
        request = create_request(message, payload, protocol, *arguments)
        request[IS_MALFORMED] = True
        return request

    server.request_factory = request_factory


class RequestHandler(web.RequestHandler):
    """One connection. Only public methods of aiohttp are overridden."""

    __slots__ = ("_deadline_timer", "_header_started_at", "_is_responding", "dispatch")

    def __init__(self, server: web.Server) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server, loop=loop, keepalive_timeout=KEEP_ALIVE_SECONDS, **CONNECTION_OPTIONS
        )
        self._header_started_at: float | None = None
        self._is_responding = False
        self._deadline_timer: asyncio.TimerHandle | None = None
        self.dispatch: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = (
            server.request_handler
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_header()

    def data_received(self, data: bytes) -> None:
        if self._header_started_at is None and not self._is_responding:
            self._start_header()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
            self._deadline_timer = None
        super().connection_lost(exc)

    def note_complete_header(self) -> None:
        self._header_started_at = None
        self._is_responding = True

    def _start_header(self) -> None:
        self._header_started_at = asyncio.get_running_loop().time()
        if self._deadline_timer is None:
            self._check_header_later(self._header_started_at)

    def _check_header_later(self, started_at: float) -> None:
        self._deadline_timer = asyncio.get_running_loop().call_at(
            started_at + HEADER_SECONDS, self._check_header
        )

    def _check_header(self) -> None:
        """One timer serves all requests of the connection, because a timer for each one would be slower."""
        self._deadline_timer = None
        started_at = self._header_started_at
        if started_at is None:
            return
        if asyncio.get_running_loop().time() >= started_at + HEADER_SECONDS:
            log.info("connection closed, the header of a request was not complete in time")
            self.force_close()
        else:
            self._check_header_later(started_at)

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
        if isinstance(exc, UnicodeEncodeError) and "Expect" in request.headers:
            # aiohttp quotes the unknown value in its response, and this value is not valid UTF-8.
            return web.HTTPExpectationFailed()
        return super().handle_error(request, status, exc, message)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException) and isinstance(request, web.Request):
            # The middleware handles every exception after it, so this one was raised before it.
            resp = await request_middleware(request, partial(_raise, error=resp))
        elif IS_MALFORMED in request and REQUEST_ID not in request:
            resp = await self.dispatch(request)
        if IS_MALFORMED in request:
            resp.force_close()
        result = await super().finish_response(request, resp, start_time)
        self._is_responding = False
        return result

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # aiohttp reads the rest of a body after the response. A broken body is not a bug of the service.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


async def _raise(_: web.Request, *, error: web.HTTPException) -> NoReturn:
    raise error
