"""Supabase: each operation is one `rpc` to a function of sql/002_functions.sql.

supabase-py speaks, an aiohttp session carries: its own HTTP client collapses under concurrency
(see docs/decisions.md), and one deadline here replaces its 120 seconds. Nothing is retried at this
height; whoever called knows what a second try would mean.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeGuard

import aiohttp
import httpx
from postgrest.exceptions import APIError
from pydantic import SecretStr
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from connector.model import stamp

from .refusals import refusal, unreachable

DEADLINE = 10.0
CONNECTIONS = 64
LARGEST_ANSWER = 2**25
GATEWAYS = {408, 429, 502, 503, 504}
"""Whatever the body says to one of these, the call may be well, and later answered."""


class OverAiohttp(httpx.AsyncClient):
    """What supabase-py takes for its HTTP client: `request` goes straight to one aiohttp session.

    For `rpc` alone. Of the answer's headers nothing is read then, and of the request only that it
    asked for no count: building either anew for every call cost a fifth of it.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._session = session

    async def request(self, method: str, url: Any, **given: Any) -> httpx.Response:
        async with self._session.request(
            method,
            str(url),
            data=given["content"],
            headers={name.decode(): value.decode() for name, value in given["headers"].raw},
            allow_redirects=False,
        ) as answer:
            content = await _read(answer.content)
            if answer.ok and not content:
                raise aiohttp.ClientPayloadError("no rows are said as []")
            # The gateway's own refusals carry no code; without a body the status stands in for it.
            spoken = answer.ok or (b'"code"' in content and answer.status not in GATEWAYS)
            return httpx.Response(
                answer.status, content=content if spoken else b"", request=WITHOUT_COUNT
            )


WITHOUT_COUNT = httpx.Request("POST", "")


class Supabase:
    name = "supabase"

    def __init__(self, url: str, key: SecretStr) -> None:
        self._url = url
        self._key = key

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=DEADLINE),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._client: AsyncClient = await create_async_client(
            self._url,
            self._key.get_secret_value(),
            AsyncClientOptions(
                httpx_client=OverAiohttp(self._session),
                postgrest_client_retry=False,
                auto_refresh_token=False,
                persist_session=False,
            ),
        )

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        parameters = {f"p_{name}": _sent(value) for name, value in arguments.items()}
        try:
            answer = await self._client.rpc(f"connector_{operation}", parameters).execute()
        except (TimeoutError, aiohttp.ClientError, OSError) as failure:
            raise unreachable(f"Supabase does not answer ({type(failure).__name__}).") from None
        except APIError as failure:
            raise refusal(str(failure.code or "")) from None
        if not _are_rows(answer.data):
            # A maintenance page, or a proxy on the way: it says nothing about the call.
            raise unreachable("What answers as Supabase does not answer in rows.")
        return answer.data

    async def close(self) -> None:
        await self._session.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    parts: list[bytes] = []
    left = LARGEST_ANSWER
    async for part in content.iter_any():
        left -= len(part)
        if left < 0:
            raise aiohttp.ClientPayloadError("larger than any answer of ours")
        parts.append(part)
    return b"".join(parts)


def _are_rows(data: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(data, list) and all(isinstance(row, dict) for row in data)


def _sent(value: Any) -> Any:
    return stamp(value) if isinstance(value, datetime) else value
