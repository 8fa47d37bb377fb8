"""The HTTP client for endpoints of customers.

The client follows no redirects, keeps no cookies, uses no proxy and reads no more of a response than its status,
its headers and the first 16 KiB. Every attempt checks the addresses again, because the owner of a name can
change them at any time. A connection may be used again: its address was checked when it was opened, and an
attempt is refused before that if the name leads to a refused address now.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from connector import __version__
from connector.errors import EndpointRefused

from .addresses import IPAddress, Network, is_allowed, is_internal
from .endpoint_url import EndpointUrl, parse_endpoint_url
from .resolver import CheckedResolver, ThreadedResolver, checked_addresses

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MAX_CONNECTIONS = 256
MAX_RESPONSE_BYTES = 16 * 1024
# Some servers close a connection that was idle for 5 seconds. A request that arrives then is lost.
IDLE_SECONDS = 4.0


@dataclass(frozen=True)
class OutboundResponse:
    status: int
    retry_after: str | None
    """The header as it was received: seconds, or a date."""


class OutboundError(Exception):
    """There is no response. The sentence is for the status page and contains no secret and no resolved address."""

    def __init__(self, sentence: str, *, timed_out: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.timed_out = timed_out


class OutboundClient:
    """A process creates one client: its connections stay open between requests."""

    def __init__(
        self,
        *,
        private_networks: Sequence[Network] = (),
        allow_loopback: bool = False,
        resolver: AbstractResolver | None = None,
        max_connections: int = MAX_CONNECTIONS,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls`: None for the certificate authorities of the system."""
        self._private_networks = tuple(private_networks)
        self._allow_loopback = allow_loopback
        self._resolver = resolver or ThreadedResolver()
        self._max_connections = max_connections
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._resolver.close()

    async def check(self, url: str) -> None:
        """Raises `EndpointRefused` if nothing would be sent to this URL now."""
        try:
            await self._addresses_of(parse_endpoint_url(url))
        except _LookupTimedOut:
            raise EndpointRefused(
                "The name server did not answer in time. Check the host name, or try again."
            ) from None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> OutboundResponse:
        """Returns every response, whatever its status. Raises `OutboundError` if there is no complete response."""
        try:
            async with asyncio.timeout(self._total_seconds):
                endpoint = parse_endpoint_url(url)
                checked_addresses.set(await self._addresses_of(endpoint))
                return await self._send(endpoint.url, body, headers)
        except EndpointRefused as error:
            raise OutboundError(error.message) from None
        except _LookupTimedOut:
            raise OutboundError("The name server did not answer in time.", timed_out=True) from None
        except aiohttp.ConnectionTimeoutError:
            sentence = f"No connection could be made within {self._connect_seconds:g} seconds."
            raise OutboundError(sentence, timed_out=True) from None
        except TimeoutError:
            sentence = f"There was no complete response within {self._total_seconds:g} seconds."
            raise OutboundError(sentence, timed_out=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise OutboundError(_sentence_for(error)) from None

    async def _addresses_of(self, endpoint: EndpointUrl) -> tuple[IPAddress, ...]:
        """Returns the addresses of the host. All of them must be allowed, else `EndpointRefused` is raised."""
        if endpoint.literal is not None:
            addresses: tuple[IPAddress, ...] = (endpoint.literal,)
        else:
            addresses = await self._resolve(endpoint.host)
        for address in addresses:
            self._check_address(address, endpoint)
        return addresses

    async def _resolve(self, host: str) -> tuple[IPAddress, ...]:
        try:
            async with asyncio.timeout(self._connect_seconds):
                results = await self._resolver.resolve(host, 0, socket.AF_UNSPEC)
        except TimeoutError:
            raise _LookupTimedOut from None
        except OSError:
            results = []
        if not results:
            raise EndpointRefused("The host name has no address. Check its spelling.")
        return tuple(ip_address(result["host"]) for result in results)

    def _check_address(self, address: IPAddress, endpoint: EndpointUrl) -> None:
        """No sentence contains a resolved address, because it may be one of an internal name."""
        networks, allow_loopback = self._private_networks, self._allow_loopback
        if not is_allowed(address, networks, allow_loopback=allow_loopback):
            subject = (
                "The IP address in the url is"
                if endpoint.literal
                else "The host name leads to an IP address that is"
            )
            raise EndpointRefused(
                f"{subject} not public. If it is in the operator's own network, the operator can add the "
                "network to CONNECTOR_PRIVATE_NETWORKS."
            )
        if not endpoint.is_encrypted and not is_internal(
            address, networks, allow_loopback=allow_loopback
        ):
            raise EndpointRefused(
                "The url begins with http. Use https; http is only for networks in "
                "CONNECTOR_PRIVATE_NETWORKS."
            )

    async def _send(self, url: URL, body: bytes, headers: Mapping[str, str]) -> OutboundResponse:
        async with self._open_session().post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            received = 0
            async for chunk in response.content.iter_any():
                received += len(chunk)
                if received > MAX_RESPONSE_BYTES:
                    response.close()
                    break
            return OutboundResponse(response.status, response.headers.get("Retry-After"))

    def _open_session(self) -> aiohttp.ClientSession:
        """Creates the session at the first request, because a session belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=CheckedResolver(),
                    # With a cache, a connection could go to an address that this attempt did not check.
                    use_dns_cache=False,
                    limit=self._max_connections,
                    keepalive_timeout=IDLE_SECONDS,
                    ssl=self._tls or True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                # `connect` covers all addresses of the name, and TLS. `post` limits the total time.
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_seconds),
                headers={"User-Agent": f"tiktok-connector/{__version__}"},
                trust_env=False,
                # The content is not used, and a small compressed response can be large.
                auto_decompress=False,
                read_bufsize=MAX_RESPONSE_BYTES,
            )
        return self._session


class _LookupTimedOut(Exception):
    pass


def _sentence_for(error: Exception) -> str:
    """Repeats no text of the HTTP client, which contains URLs and resolved addresses."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")
        return f"The TLS certificate was not accepted: {reason}".rstrip(": .") + "."
    if isinstance(error, aiohttp.ClientSSLError):
        return "The server does not accept TLS."
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return f"No connection could be made{f': {os.strerror(number)}' if number else ''}."
    if isinstance(error, aiohttp.ClientResponseError):
        return "The response is not valid HTTP."
    return "The connection was closed before the response was complete."
