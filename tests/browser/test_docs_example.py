"""docs/react-callback.md works: its code blocks are served unchanged from another origin."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, expect

from connector.model import UserId
from tests.credentials import ANNA, hs256_jwt
from tests.processes import free_port
from tests.running_service import AS_SERVER

from .harness import BERT, ROOT, Harness, open_window, running_harness

GUIDE = (ROOT / "docs" / "react-callback.md").read_text()
BLOCK = re.compile(r"^```jsx? title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION_SCRIPT = f'export const userToken = async () => "{hs256_jwt()}";'
HTML = '<!doctype html><main id="app"></main><script type="module" src="/callback.js"></script>'


@asynccontextmanager
async def customer_website(port: int, service: str) -> AsyncIterator[None]:
    async def script(request: web.Request) -> web.Response:
        blocks = dict(BLOCK.findall(GUIDE)) | {"session.js": SESSION_SCRIPT}
        block = blocks[request.match_info["name"]]
        text = block.replace("https://connect.example.com", service)
        return web.Response(text=text, content_type="text/javascript")

    async def html(request: web.Request) -> web.Response:
        return web.Response(text=HTML, content_type="text/html")

    async def icon(request: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.get("/favicon.ico", icon), web.get("/tiktok/callback", html)])
    app.add_routes([web.get("/{name}", script)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield
    await runner.cleanup()


def settings_of_the_guide(origin: str) -> dict[str, str]:
    return {
        "CONNECTOR_ALLOWED_ORIGINS": origin,
        "TIKTOK_REDIRECT_URI": f"{origin}/tiktok/callback",
        "CONNECTOR_REQUIRE_USER": "true",
    }


async def start_consent(harness: Harness, origin: str, *, user_id: UserId = ANNA) -> str:
    body = {"user_id": user_id, "redirect_uri": f"{origin}/tiktok/callback"}
    async with harness.http.post(
        f"{harness.url}/oauth/start", json=body, headers=AS_SERVER
    ) as response:
        return str((await response.json())["url"])


async def test_the_callback_page_in_the_guide_connects_from_another_origin(
    browser: Browser, tmp_path: Path
) -> None:
    origin = f"http://localhost:{(port := free_port())}"
    settings = settings_of_the_guide(origin)
    async with (
        running_harness(tmp_path, **settings) as harness,
        customer_website(port, harness.url),
        open_window(browser, harness, origin) as window,
    ):
        page = window.page
        await page.goto(await start_consent(harness, origin))
        await page.get_by_role("button", name="Allow").click()
        second = page.get_by_role("button").nth(1)
        name = await second.inner_text()
        await second.click()
        await expect(page.get_by_text("TikTok is connected.")).to_be_visible()
        assert harness.database.row("user_accounts")["tiktok_account_id"] == name
        await page.goto(await start_consent(harness, origin))
        await page.get_by_role("button", name="Allow").click()
        await expect(page.get_by_text("TikTok is connected.")).to_be_visible()


async def test_the_callback_page_in_the_guide_refuses_a_strangers_link(
    browser: Browser, tmp_path: Path
) -> None:
    origin = f"http://localhost:{(port := free_port())}"
    settings = settings_of_the_guide(origin)
    async with (
        running_harness(tmp_path, **settings) as harness,
        customer_website(port, harness.url),
        open_window(browser, harness, origin) as window,
    ):
        window.expect_statuses(403)
        await window.page.goto(await start_consent(harness, origin, user_id=BERT))
        await window.page.get_by_role("button", name="Allow").click()
        await expect(window.page.get_by_text("started by another user")).to_be_visible()
        assert (await harness.get("/connections"))["connections"] == []


def test_every_code_block_of_the_guide_is_run_by_a_test() -> None:
    blocks = dict(BLOCK.findall(GUIDE))
    exported = set(
        re.findall(r"^export (?:async )?function (\w+)", blocks["tiktok.js"], re.MULTILINE)
    )
    for name in ("TikTokCallback.jsx", "callback.js"):
        imported = re.search(r'import \{ (.+) \} from "./tiktok.js"', blocks[name])
        assert imported
        assert set(imported[1].split(", ")) == exported
