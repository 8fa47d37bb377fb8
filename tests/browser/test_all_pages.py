"""Every page has its texts, loads its scripts and stylesheets, and has a stable layout."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from connector.web.static_files import FOLDER

from .harness import Harness, Window

TEXT_KEY_IN_SCRIPT = re.compile(
    r'\bt\("([a-z0-9_]+)"|"((?:callback|connect|error|events|link|no_access|picker|status|webhooks)/[a-z0-9_/]+)"'
)
TEXT_KEY_IN_PAGE = re.compile(r'data-(?:text|label)="([^"]+)"')
IMPORTED_MODULE = re.compile(r'^import .* from "\./([^"]+)";$', re.MULTILINE)
PRELOADED_MODULE = re.compile(r'<link rel="modulepreload" href="/static/([^"]+)">')
PAGE_MODULE = re.compile(r'<script type="module" src="/static/([^"]+)">')
RECORD_LAYOUT_SHIFTS = """() => {
  window.layoutShift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.layoutShift += entry.value;
  }).observe({type: "layout-shift", buffered: true});
}"""
PAGES = ["connect", "status", "callback"]


def text_keys() -> set[str]:
    scripts = "".join(file.read_text() for file in FOLDER.glob("*.js"))
    pages = "".join(file.read_text() for file in FOLDER.glob("*.html"))
    found = [top_level or nested for top_level, nested in TEXT_KEY_IN_SCRIPT.findall(scripts)]
    return {*found, *TEXT_KEY_IN_PAGE.findall(pages)}


def imported_modules(module: str) -> set[str]:
    """Returns the modules that a module imports, directly or through other modules."""
    path = FOLDER / module
    names = IMPORTED_MODULE.findall(path.read_text())
    direct = {str((path.parent / name).relative_to(FOLDER)) for name in names}
    return direct.union(*map(imported_modules, direct))


async def test_every_text_key_in_the_scripts_and_pages_has_a_text(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(f"{harness.url}/oauth/callback")
    missing = await window.page.evaluate(
        "async (keys) => { const {hasText} = await import('/static/i18n.js');"
        " return keys.filter((key) => !hasText(key)); }",
        sorted(text_keys()),
    )
    assert len(text_keys()) > 80
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_preloads_exactly_the_modules_that_it_imports(name: str) -> None:
    html = (FOLDER / f"{name}.html").read_text()
    preloaded = PRELOADED_MODULE.findall(html)
    assert PAGE_MODULE.findall(html) == [f"{name}.js"]
    assert sorted(preloaded) == sorted(imported_modules(f"{name}.js"))


@pytest.mark.parametrize("path", ["/connect", "/status", "/oauth/callback"])
async def test_the_layout_does_not_shift_while_a_page_loads(
    harness: Harness, window: Window, path: str
) -> None:
    await harness.connect(advertisers=5)
    page = window.page
    await page.add_init_script(f"({RECORD_LAYOUT_SHIFTS})()")
    ticket = (await harness.create_ticket())["ticket"]
    callback = await harness.consent_callback_url(advertisers=5)
    await page.goto(callback if "callback" in path else f"{harness.url}{path}#ticket={ticket}")
    await expect(page.locator("h1")).to_be_visible()
    loaded = page.locator(".picker, .connection, .connection-row[data-status]")
    await expect(loaded.first).to_be_visible()
    assert await page.evaluate("layoutShift") < 0.1
