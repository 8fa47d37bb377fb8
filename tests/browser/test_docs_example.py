"""docs/react-callback.md works: its blocks are served from another origin, as they stand there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, expect

from tests.houses import AS_SERVER
from tests.people import ANNA
from tests.processes import free_port

from .scene import ROOT, Scene, acting, opened

PAGE = (ROOT / "docs" / "react-callback.md").read_text()
BLOCK = re.compile(r"^```jsx? title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HTML = '<!doctype html><main id="app"></main><script type="module" src="/callback.js"></script>'


@asynccontextmanager
async def customer(port: int, service: str) -> AsyncIterator[None]:
    async def script(request: web.Request) -> web.Response:
        block = dict(BLOCK.findall(PAGE))[request.match_info["name"]]
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


async def from_another_origin(scene: Scene, origin: str) -> str:
    asked = {"user_id": ANNA, "redirect_uri": f"{origin}/tiktok/callback"}
    async with scene.http.post(f"{scene.url}/oauth/start", json=asked, headers=AS_SERVER) as answer:
        return str((await answer.json())["url"])


async def test_the_page_in_the_documents_connects_from_another_origin(
    browser: Browser, tmp_path: Path
) -> None:
    origin = f"http://localhost:{(port := free_port())}"
    settings = {
        "CONNECTOR_ALLOWED_ORIGINS": origin,
        "TIKTOK_REDIRECT_URI": f"{origin}/tiktok/callback",
    }
    async with (
        acting(tmp_path, **settings) as scene,
        customer(port, scene.url),
        opened(browser, scene, origin) as window,
    ):
        page = window.page
        await page.goto(await from_another_origin(scene, origin))
        await page.get_by_role("button", name="Allow").click()
        second = page.get_by_role("button").nth(1)
        name = await second.inner_text()
        await second.click()
        await expect(page.get_by_text("TikTok is connected.")).to_be_visible()
        assert scene.place.row("user_accounts")["tiktok_account_id"] == name
        await page.goto(await from_another_origin(scene, origin))
        await page.get_by_role("button", name="Allow").click()
        await expect(page.get_by_text("TikTok is connected.")).to_be_visible()


def test_the_component_uses_nothing_that_is_not_run_here() -> None:
    blocks = dict(BLOCK.findall(PAGE))
    exported = set(re.findall(r"^export function (\w+)", blocks["tiktok.js"], re.MULTILINE))
    for name in ("TikTokCallback.jsx", "callback.js"):
        imported = re.search(r'import \{ (.+) \} from "./tiktok.js"', blocks[name])
        assert imported
        assert set(imported[1].split(", ")) == exported
