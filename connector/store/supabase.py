"""Supabase: each operation is one `rpc` to a function of `sql/functions/`.

supabase-py builds the requests and an aiohttp session sends them, because supabase-py's own HTTP client
is too slow with many concurrent requests (see docs/decisions.md). One deadline replaces the timeout of
120 seconds. No request is retried, because only the caller knows if a repetition is safe.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeGuard

import aiohttp
import httpx
from postgrest.exceptions import APIError
from pydantic import SecretStr
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from connector.model import format_utc

from .database_errors import error_for_code, unreachable_error

DEADLINE = 10.0
MAX_CONNECTIONS = 64
MAX_RESPONSE_BYTES = 2**25
GATEWAY_STATUSES = {408, 429, 502, 503, 504}
"""Statuses that a gateway sends. The call may succeed later, and the body is ignored."""


class AiohttpBackedClient(httpx.AsyncClient):
    """The HTTP client that supabase-py uses; `request` uses one aiohttp session.

    This client supports `rpc` only. For `rpc`, postgrest-py reads no response header, and reads the
    request only to see that no count was requested. So the response has no headers and a shared request:
    creating both for every call took a fifth of the time of the call.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._session = session

    async def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        async with self._session.request(
            method,
            str(url),
            data=options["content"],
            headers={name.decode(): value.decode() for name, value in options["headers"].raw},
            allow_redirects=False,
        ) as response:
            content = await _read_limited(response.content)
            if response.ok and not content:
                raise aiohttp.ClientPayloadError("an empty body: an empty list of rows is []")
            # An error of a gateway has no code. If the body is empty, postgrest-py uses the status.
            is_postgrest = response.ok or (
                b'"code"' in content and response.status not in GATEWAY_STATUSES
            )
            return httpx.Response(
                response.status, content=content if is_postgrest else b"", request=STUB_REQUEST
            )


STUB_REQUEST = httpx.Request("POST", "")


class Supabase:
    name = "supabase"

    def __init__(self, url: str, key: SecretStr) -> None:
        self._url = url
        self._key = key

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=DEADLINE),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._client: AsyncClient = await create_async_client(
            self._url,
            self._key.get_secret_value(),
            AsyncClientOptions(
                httpx_client=AiohttpBackedClient(self._session),
                postgrest_client_retry=False,
                auto_refresh_token=False,
                persist_session=False,
            ),
        )

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        parameters = {f"p_{name}": _encode(value) for name, value in arguments.items()}
        try:
            response = await self._client.rpc(f"connector_{operation}", parameters).execute()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable_error(f"Supabase does not answer ({type(error).__name__}).") from None
        except APIError as error:
            raise error_for_code(str(error.code or "")) from None
        if not _are_rows(response.data):
            # The response is from a maintenance page or a proxy, and is not the result of the call.
            raise unreachable_error("The response does not consist of rows.")
        return response.data

    async def close(self) -> None:
        await self._session.close()


async def _read_limited(content: aiohttp.StreamReader) -> bytes:
    parts: list[bytes] = []
    remaining = MAX_RESPONSE_BYTES
    async for part in content.iter_any():
        remaining -= len(part)
        if remaining < 0:
            raise aiohttp.ClientPayloadError("the response is too large")
        parts.append(part)
    return b"".join(parts)


def _are_rows(data: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(data, list) and all(isinstance(row, dict) for row in data)


def _encode(value: Any) -> Any:
    return format_utc(value) if isinstance(value, datetime) else value
