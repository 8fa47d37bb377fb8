"""A response that is not from Supabase means an unreachable store; its body is not repeated anywhere."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from connector.errors import ConnectorError, StoreUnreachable
from connector.maintenance.cleanup import CLEANUP_INTERVAL, RETENTION
from connector.store import Store, supabase
from connector.store.supabase import Supabase
from tests.manual_clock import NOON
from tests.raw_servers import ok_response, respond_with, tcp_server

from .builders import apply, claim_code, new_user_id, outcome
from .conftest import open_store

CANARY = "canary-in-a-body"
BODIES = [
    "",
    "null",
    "{}",
    "[1]",
    f"<html>{CANARY}</html>",
    f'{{"message": "{CANARY}"}}',
    f'[{{"encrypted_tokens": "{CANARY}"}}]',
    f'[{{"encrypted_tokens": "{CANARY}"',
    f'"{CANARY}"',
]


@asynccontextmanager
async def store_with_response(body: str, status: int = 200, **headers: str) -> AsyncIterator[Store]:
    async def respond(request: web.Request) -> web.Response:
        return web.Response(
            status=status, text=body, content_type="application/json", headers=headers
        )

    application = web.Application()
    application.router.add_post("/rest/v1/rpc/{operation}", respond)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_store(Supabase(url, SecretStr("a.b.c"))) as store:
            yield store
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("body", BODIES)
async def test_a_response_that_is_not_rows_is_reported_unreachable_without_its_content(
    body: str, caplog: pytest.LogCaptureFixture
) -> None:
    id = str(uuid4())
    async with store_with_response(body) as store:
        for call in (
            store.get_stored_tokens(id),
            store.get_connection(id),
            claim_code(store, "code", new_user_id()),
            apply(store, outcome(id)),
            store.count_connections(),
            store.delete_old_rows(RETENTION, interval=CLEANUP_INTERVAL, now=NOON),
        ):
            with pytest.raises(StoreUnreachable) as raised:
                await call
            assert CANARY not in f"{raised.value} {raised.value.message}"
    assert CANARY not in caplog.text
    assert "input_value" not in caplog.text


async def test_an_empty_response_is_reported_unreachable_if_a_row_must_exist() -> None:
    async with store_with_response("[]") as store:
        with pytest.raises(StoreUnreachable):
            await claim_code(store, "code", new_user_id())
        assert await store.get_stored_tokens(str(uuid4())) is None


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
@pytest.mark.parametrize("body", ["", '{"code": "over_limit", "message": "x"}', '{"code": null}'])
async def test_a_gateways_own_error_is_reported_unreachable(status: int, body: str) -> None:
    async with store_with_response(body, status) as store:
        with pytest.raises(StoreUnreachable):
            await store.count_connections()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_service_role_key_is_not_sent_to_the_target_of_a_redirect(status: int) -> None:
    requests: list[bytes] = []

    async def record(reader: StreamReader, writer: StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        await respond_with(ok_response(b"[]", "Content-Type: application/json"))(reader, writer)

    async with (
        tcp_server(record) as target,
        store_with_response("", status, Location=target) as store,
    ):
        with pytest.raises(ConnectorError):
            await store.count_connections()
    assert requests == []


async def test_a_response_that_is_too_large_is_reported_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supabase, "MAX_RESPONSE_BYTES", 999)
    async with store_with_response(f"[{' ' * 999}]") as store:
        with pytest.raises(StoreUnreachable):
            await store.count_connections()
    async with store_with_response("[]") as store:
        assert await store.count_connections() == []
