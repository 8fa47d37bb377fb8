"""What aiohttp refuses by itself, put on the same road as every other request.

What its parser cannot read, and what expects anything but to be let go on, it answers in plain text,
quotes it, and asks nobody. A request whose body breaks midway it leaves waiting for the rest. It has no
public seam for this, so a few of its private names are used, all of them here: `Application._make_handler`,
`RequestHandler._make_error_handler` and `_messages`, and a server's own arguments. Should one of them
change its meaning, tests/web/test_unreadable.py says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, cast

from aiohttp import EMPTY_PAYLOAD, StreamReader, web

from . import keys

LONGEST_LINE = 32 * 1024
"""For the first line and for each header. A browser sends the cookies of a parent domain along, and
a signed-in Supabase user's alone can be larger than the 8 KiB aiohttp would take."""

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Protocol(web.RequestHandler):
    __slots__ = ("answering", "body")

    def __init__(self, server: web.Server, **given: Any) -> None:
        super().__init__(server, **given)
        self.answering = server.request_handler
        self.body: StreamReader = EMPTY_PAYLOAD

    def data_received(self, data: bytes) -> None:
        """Nothing comes behind a body that is not complete, unless it is the news that it broke.
        aiohttp's parser in C keeps that news from the request itself, which would wait forever."""
        super().data_received(data)
        if not self._messages:
            return
        _, latest = self._messages[-1]
        if latest is not self.body and not self.body.is_eof():
            self.body.set_exception(web.RequestPayloadError("The body broke off."))
        self.body = latest

    def log_exception(self, *args: Any, **more: Any) -> None:
        # The rest of a body is read past the answer too, and that it broke is no bug of ours.
        if not isinstance(more.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **more)

    def _make_error_handler(self, err_info: object) -> Answering:
        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            # aiohttp puts a blank request in its place: no method, no address, no headers.
            request[keys.UNREADABLE] = True
            return await self.answering(request)

        return answer


class Server(web.Server):
    def __call__(self) -> Protocol:
        return Protocol(self, loop=self._loop, **self._kwargs)


def answer_the_unreadable(app: web.Application) -> None:
    make = app._make_handler  # noqa: SLF001

    def make_handler(**given: Any) -> web.Server:
        made = make(**given)
        return Server(
            _expecting(app, made.request_handler),
            request_factory=made.request_factory,
            loop=made._loop,  # noqa: SLF001
            **made._kwargs,  # noqa: SLF001
        )

    # A subclass of Application would be plainer, but aiohttp warns of them.
    vars(app)["_make_handler"] = make_handler


def _expecting(app: web.Application, handle: Answering) -> Answering:
    """aiohttp looks at `Expect` before any middleware. A route may look at it in a way of its own, but
    an address that is none has no route."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPExpectationFailed as failed:
            refusal = failed

        async def refuse(_: web.Request) -> NoReturn:
            raise refusal

        (conversation,) = app.middlewares
        return await conversation(cast(web.Request, request), refuse)

    return answer
