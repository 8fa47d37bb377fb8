"""Words and looks that hold for every page."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from connector.web.pages import FOLDER

from .scene import Scene, Window

LITERAL = re.compile(r"""\b(?:say|lines|fact|moment)\(\s*(?:[\w.]+, )?"([a-z_/|]+)\"""")
MARKED = re.compile(r'data-(?:text|label)="([^"]+)"')
SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifted += entry.value;
  }).observe({type: "layout-shift", buffered: true});
}"""


def keys() -> set[str]:
    scripts = {key for file in FOLDER.glob("*.js") for key in LITERAL.findall(file.read_text())}
    return scripts | {
        key for file in FOLDER.glob("*.html") for key in MARKED.findall(file.read_text())
    }


async def test_every_text_that_is_asked_for_is_there(scene: Scene, window: Window) -> None:
    await window.page.goto(f"{scene.url}/oauth/callback")
    missing = await window.page.evaluate(
        "async (keys) => { const {has} = await import('/static/language.js');"
        " return keys.filter((key) => !has(key)); }",
        sorted(keys()),
    )
    assert len(keys()) > 80
    assert missing == []


@pytest.mark.parametrize("path", ["/connect", "/status", "/oauth/callback"])
async def test_nothing_moves_while_a_page_comes_up(scene: Scene, window: Window, path: str) -> None:
    await scene.connected(advertisers=5)
    page = window.page
    await page.add_init_script(f"({SHIFTS})()")
    ticket = (await scene.ticket())["ticket"]
    callback = await scene.callback(advertisers=5)
    await page.goto(callback if "callback" in path else f"{scene.url}{path}#ticket={ticket}")
    await expect(page.locator("h1")).to_be_visible()
    await expect(page.locator(".picker, .connection, .row[data-status]").first).to_be_visible()
    assert await page.evaluate("shifted") < 0.1
