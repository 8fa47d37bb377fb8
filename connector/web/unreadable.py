"""What aiohttp's parser refuses, put on the same road as every other request.

By itself aiohttp answers such a thing in plain text, quotes it, and asks nobody. It has no public seam
for this, so three of its private names are used, all of them here: `Application._make_handler`,
`RequestHandler._make_error_handler` and a server's own arguments. Should one of them change its
meaning, tests/web/test_unreadable.py says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import keys

LONGEST_LINE = 32 * 1024
"""For the first line and for each header. A browser sends the cookies of a parent domain along, and
a signed-in Supabase user's alone can be larger than the 8 KiB aiohttp would take."""

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Protocol(web.RequestHandler):
    __slots__ = ()

    def _make_error_handler(self, err_info: object) -> Answering:
        handle = self._request_handler

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            assert handle is not None  # noqa: S101
            # aiohttp puts a blank request in its place: no method, no address, no headers.
            request[keys.UNREADABLE] = True
            return await handle(request)

        return answer


class Server(web.Server):
    def __call__(self) -> Protocol:
        return Protocol(self, loop=self._loop, **self._kwargs)


def answer_the_unreadable(app: web.Application) -> None:
    make = app._make_handler  # noqa: SLF001

    def make_handler(**given: Any) -> web.Server:
        made = make(**given)
        return Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=made._loop,  # noqa: SLF001
            **made._kwargs,  # noqa: SLF001
        )

    # A subclass of Application would be plainer, but aiohttp warns of them.
    vars(app)["_make_handler"] = make_handler
