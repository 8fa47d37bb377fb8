"""The wire to TikTok: the only place that opens a socket to it.

It sends exactly what it is given (no redirects, cookies, proxies from the environment or re-encoded
addresses) and reads no further than it must: an answer over the limit is dropped while it arrives.
Whatever breaks on the way is `TikTokUnreachable`, raised with no cause and no context, because the
errors of an HTTP client carry addresses, and ours have secrets in them.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from .clock import Clock
from .errors import TikTokUnreachable, Unintelligible
from .wire import Call, Request, Response

T = TypeVar("T")

log = logging.getLogger(__name__)

DEADLINE = 20.0
LARGEST_ANSWER = 8 * 2**20

_LAST_CHANCES = 5
_LAST_CHANCE = 0.01
_RETRY_AFTER = 5.0


class Transport:
    """One per process: the connections stay open between calls."""

    def __init__(
        self,
        clock: Clock,
        *,
        deadline: float = DEADLINE,
        largest_answer: int = LARGEST_ANSWER,
        connections_per_host: int = 64,
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._largest_answer = largest_answer
        self._connections_per_host = connections_per_host
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, call: Call[T]) -> T:
        return call.read(await self.send(call.request))

    async def send(self, request: Request) -> Response:
        """One deadline for all of it, from the wait for a free connection to the last byte.

        It is not the client's own timer. A process that was stopped (SIGSTOP, a frozen laptop, a
        starved container) wakes with the deadline past and the answer lying in its socket; a timer
        that fires first would throw that answer away, and with it a rotated refresh token that
        exists nowhere else. So when time is up the loop gets a few more turns to bring in what has
        already arrived, and only then is the call cut.
        """
        began = self._clock.ticks()
        try:
            async with asyncio.timeout(None) as limit:
                with _LastChances(limit, after=self._deadline):
                    outcome = await self._attempt(request)
        except TimeoutError:
            outcome = _too_slow()
        took_ms = round((self._clock.ticks() - began) * 1000)
        if isinstance(outcome, TikTokUnreachable):
            log.debug("got nothing for=%s took_ms=%d: %s", request.label, took_ms, outcome)
            raise outcome
        log.debug("answered for=%s status=%d took_ms=%d", request.label, outcome.status, took_ms)
        return outcome

    async def _attempt(self, request: Request) -> Response | TikTokUnreachable:
        """Failures are returned, to be raised where no `except` lends them its context."""
        try:
            return await self._exchange(request)
        # ValueError is what the client raises for a header or an address it will not send.
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _unreachable(error)

    async def _exchange(self, request: Request) -> Response | TikTokUnreachable:
        asked_at = self._clock.now()
        async with self._open_session().request(
            request.method,
            # As it stands, byte for byte: redirect addresses and JSON in queries must arrive exactly.
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        ) as answer:
            body = bytearray()
            # Counted after decompression, which aiohttp does piece by piece: a bomb stops here too.
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > self._largest_answer:
                    answer.close()
                    return _too_large()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status, headers, bytes(body), asked_at)

    def _open_session(self) -> aiohttp.ClientSession:
        """Made at the first call, because it belongs to the loop that runs then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._connections_per_host),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "tiktok-connector", "Accept": "application/json"},
                trust_env=False,
            )
        return self._session


class _LastChances:
    """Lets the limit strike only some turns of the loop after the time is up."""

    def __init__(self, limit: asyncio.Timeout, *, after: float) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._left = _LAST_CHANCES
        self._next = self._loop.call_later(after, self._one)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._next.cancel()

    def _one(self) -> None:
        if self._left:
            self._left -= 1
            self._next = self._loop.call_later(_LAST_CHANCE, self._one)
        else:
            self._limit.reschedule(self._loop.time())


def _unreachable(error: Exception) -> TikTokUnreachable:
    """The kind of failure, for the operator; of the error itself nothing is kept."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        reason = "its name could not be looked up"
    elif isinstance(error, aiohttp.ClientSSLError):
        reason = "its certificate was not accepted"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = "no connection could be made"
    elif isinstance(error, ValueError):
        reason = "the request could not be put together; check the addresses in the settings"
    else:
        reason = "the connection broke off"
    return TikTokUnreachable(
        f"TikTok could not be reached: {reason}. Try again shortly.", retry_after=_RETRY_AFTER
    )


def _too_slow() -> TikTokUnreachable:
    return TikTokUnreachable(
        "TikTok did not answer in time. Try again shortly.", retry_after=_RETRY_AFTER
    )


def _too_large() -> Unintelligible:
    return Unintelligible(
        "TikTok's answer was far larger than any it should give. Try again shortly.",
        retry_after=_RETRY_AFTER,
    )
