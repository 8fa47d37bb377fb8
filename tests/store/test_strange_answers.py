"""Something else answers where Supabase should: nothing is concluded from it, and nothing repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from connector.errors import StoreUnreachable
from connector.store import Store, supabase
from connector.store.supabase import Supabase
from tests.clocks import NOON

from .conftest import opened
from .people import claim, outcome, person, save

CANARY = "canary-in-a-body"
BODIES = [
    "",
    "null",
    "{}",
    "[1]",
    f"<html>{CANARY}</html>",
    f'{{"message": "{CANARY}"}}',
    f'[{{"sealed": "{CANARY}"}}]',
    f'[{{"sealed": "{CANARY}"',
    f'"{CANARY}"',
]


@asynccontextmanager
async def answering(body: str, status: int = 200) -> AsyncIterator[Store]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    application = web.Application()
    application.router.add_post("/rest/v1/rpc/{operation}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with opened(Supabase(url, SecretStr("a.b.c"))) as store:
            yield store
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("body", BODIES)
async def test_what_is_not_rows_is_unreachable(body: str, caplog: pytest.LogCaptureFixture) -> None:
    id = str(uuid4())
    async with answering(body) as store:
        for ask in (
            store.read_token(id),
            store.connection(id),
            claim(store, "code", person()),
            save(store, outcome(id)),
            store.census(),
            store.tidy(before=NOON, keep=1, told_before=NOON),
        ):
            with pytest.raises(StoreUnreachable) as told:
                await ask
            assert CANARY not in f"{told.value} {told.value.message}"
    assert CANARY not in caplog.text
    assert "input_value" not in caplog.text


async def test_no_rows_where_there_is_always_one_is_unreachable() -> None:
    async with answering("[]") as store:
        with pytest.raises(StoreUnreachable):
            await claim(store, "code", person())
        assert await store.read_token(str(uuid4())) is None


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
@pytest.mark.parametrize("body", ["", '{"code": "over_limit", "message": "x"}', '{"code": null}'])
async def test_a_gateway_that_asks_for_patience_is_unreachable(status: int, body: str) -> None:
    async with answering(body, status) as store:
        with pytest.raises(StoreUnreachable):
            await store.census()


async def test_an_answer_without_end_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supabase, "LARGEST_ANSWER", 999)
    async with answering(f"[{' ' * 999}]") as store:
        with pytest.raises(StoreUnreachable):
            await store.census()
    async with answering("[]") as store:
        assert await store.census() == []
