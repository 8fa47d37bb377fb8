"""The HTTP client for TikTok: the only module that opens a socket to TikTok.

The client sends exactly the given request: it follows no redirects, keeps no cookies, uses no proxy
but the configured one and does not re-encode addresses. A response that exceeds the limit is dropped
while it arrives. Every failure of `send` is a `TikTokUnreachable` without cause and context, because the
errors of an HTTP client contain URLs, and the URLs of these requests contain secrets.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from pydantic import SecretStr
from yarl import URL

from .clock import Clock
from .errors import TikTokUnreachable, UnreadableResponse
from .tiktok import Call, Request, Response

T = TypeVar("T")

log = logging.getLogger(__name__)

REQUEST_DEADLINE_SECONDS = 20.0
MAX_RESPONSE_BYTES = 8 * 2**20
# Only a proxy sends this status. For a plain http address it arrives as the response to the request itself.
PROXY_AUTHENTICATION_REQUIRED = 407

_GRACE_TURNS = 5
_GRACE_TURN_SECONDS = 0.01
_RETRY_AFTER_SECONDS = 5.0


class TikTokClient:
    """A process creates one client: its connections stay open between calls."""

    def __init__(
        self,
        clock: Clock,
        *,
        deadline: float = REQUEST_DEADLINE_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        connections_per_host: int = 64,
        proxy: SecretStr | None = None,
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._max_response_bytes = max_response_bytes
        self._connections_per_host = connections_per_host
        self._proxy = _Proxy.parse(proxy) if proxy else _Proxy()
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

    async def execute(self, call: Call[T]) -> T:
        return call.parse(await self.send(call.request))

    async def send(self, request: Request) -> Response:
        """Sends a request. One deadline covers the wait for a free connection and the whole call.

        The deadline is not the HTTP client's own timeout. A process that was stopped (SIGSTOP, a
        suspended laptop, a container without CPU) continues after the deadline, while the response
        is already in its socket. A timeout that fires first would discard the response and the
        rotated refresh token in the response, which exists nowhere else. So the event loop gets a
        few more turns after the deadline to read data that has already arrived. After these turns
        the call is cancelled.
        """
        started = self._clock.ticks()
        try:
            async with asyncio.timeout(None) as timeout:
                deadline = _GracefulDeadline(timeout, seconds=self._deadline)
                try:
                    result = await self._send_once(request)
                finally:
                    deadline.cancel()
        except TimeoutError:
            result = _timeout_error()
        duration_ms = round((self._clock.ticks() - started) * 1000)
        if isinstance(result, TikTokUnreachable):
            log.debug(
                "tiktok request failed endpoint=%s duration_ms=%d error=%s",
                request.endpoint,
                duration_ms,
                result,
            )
            raise result
        log.debug(
            "tiktok response endpoint=%s status=%d duration_ms=%d",
            request.endpoint,
            result.status,
            duration_ms,
        )
        return result

    async def _send_once(self, request: Request) -> Response | TikTokUnreachable:
        """Returns the response or an error. `send` raises the error outside any `except`, so that the error has
        no context."""
        requested_at = self._clock.now()
        try:
            async with self._open_session().request(
                request.method,
                # Byte for byte: redirect addresses and JSON in the query must not change.
                URL(request.url, encoded=True),
                headers={**request.headers, **self._proxy.headers_of(request)},
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy.url,
                proxy_headers=self._proxy.headers,
            ) as response:
                if self._proxy.url and response.status == PROXY_AUTHENTICATION_REQUIRED:
                    return _proxy_error(response.status)
                body = bytearray()
                # aiohttp decompresses chunk by chunk, so the limit also stops a decompression bomb.
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > self._max_response_bytes:
                        response.close()
                        return _oversize_error()
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, bytes(body), requested_at)
        # aiohttp raises ValueError for a header or an address that it refuses to send.
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _unreachable_error(error, has_proxy=self._proxy.url is not None)

    def _open_session(self) -> aiohttp.ClientSession:
        """Creates the session at the first call, because a session belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=self._connections_per_host),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "tiktok-connector", "Accept": "application/json"},
                trust_env=False,
            )
        return self._session


@dataclass(frozen=True)
class _Proxy:
    url: URL | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def headers_of(self, request: Request) -> Mapping[str, str]:
        """Through a tunnel to an https address, the request itself must not name the credentials."""
        return {} if request.url.startswith("https:") else self.headers

    @classmethod
    def parse(cls, proxy: SecretStr) -> Self:
        url = URL(proxy.get_secret_value())
        if url.user is None and url.password is None:
            return cls(url)
        # Not left to aiohttp, which encodes credentials in a URL as latin-1.
        credentials = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
        return cls(url.with_user(None), {"Proxy-Authorization": f"Basic {credentials}"})


class _GracefulDeadline:
    """Lets the timeout expire a few turns of the event loop after the deadline."""

    # A closure that starts its own timer again would be a reference cycle. One such cycle in each call
    # keeps the garbage collector busy with 5 % of the CPU time.

    def __init__(self, timeout: asyncio.Timeout, *, seconds: float) -> None:
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._turns_left = _GRACE_TURNS
        self._timer = self._loop.call_later(seconds, self._take_turn)

    def _take_turn(self) -> None:
        if self._turns_left:
            self._turns_left -= 1
            self._timer = self._loop.call_later(_GRACE_TURN_SECONDS, self._take_turn)
        else:
            self._timeout.reschedule(self._loop.time())

    def cancel(self) -> None:
        self._timer.cancel()


def _unreachable_error(error: Exception, *, has_proxy: bool) -> TikTokUnreachable:
    """The message names the kind of failure, for the operator, and repeats no text of the error."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _proxy_error(error.status)
    # With a proxy, this process resolves and connects to no other host.
    if has_proxy and _is_connection_failure(error):
        reason = "no connection to the proxy could be made; check TIKTOK_PROXY"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        reason = "its host name could not be resolved"
    elif isinstance(error, aiohttp.ClientSSLError):
        reason = "its certificate was not accepted"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = "no connection could be made"
    elif isinstance(error, ValueError):
        reason = "the request could not be built; check the addresses in the settings"
    else:
        reason = "the connection was lost"
    return TikTokUnreachable(
        f"TikTok could not be reached: {reason}. Try again shortly.",
        retry_after=_RETRY_AFTER_SECONDS,
    )


def _is_connection_failure(error: Exception) -> bool:
    is_tls_failure = isinstance(error, aiohttp.ClientSSLError)
    return isinstance(error, aiohttp.ClientConnectorError) and not is_tls_failure


def _proxy_error(status: int) -> TikTokUnreachable:
    return TikTokUnreachable(
        f"TikTok could not be reached: the proxy refused the connection with HTTP {status}; check "
        "TIKTOK_PROXY. Try again shortly.",
        retry_after=_RETRY_AFTER_SECONDS,
    )


def _timeout_error() -> TikTokUnreachable:
    return TikTokUnreachable(
        "TikTok did not respond in time. Try again shortly.", retry_after=_RETRY_AFTER_SECONDS
    )


def _oversize_error() -> UnreadableResponse:
    return UnreadableResponse(
        "TikTok's response exceeded the size limit. Try again shortly.",
        retry_after=_RETRY_AFTER_SECONDS,
    )
