"""A connection is completed in the browser that started it, or after the person has confirmed."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.credentials import ANNA

from .callback_states import callback_after_a_refused_confirmation, callback_asks_for_confirmation
from .harness import BERT, Harness, Window, open_window
from .test_callback import count_exchanges

DONE = "[data-result=done]"


async def start_at_tiktok(window: Window) -> None:
    await window.page.get_by_role("button", name="Connect TikTok profile").click()
    await expect(window.page.get_by_role("button", name="Allow")).to_be_visible()


async def test_a_strangers_link_in_a_fresh_browser_connects_nothing(
    browser: Browser, harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link(BERT))
    await start_at_tiktok(window)
    consent_page = window.page.url
    async with open_window(browser, harness) as victim:
        victim.expect_statuses(400)
        await victim.page.goto(consent_page)
        await victim.page.get_by_role("button", name="Allow").click()
        await expect(victim.page.locator("[data-error=invalid_state]")).to_be_visible()
    assert await count_exchanges(harness) == 0
    assert (await harness.get("/connections"))["connections"] == []


async def test_the_browser_that_started_connects_without_a_further_click(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link())
    await start_at_tiktok(window)
    await window.page.get_by_role("button", name="Allow").click()
    await expect(window.page.locator(DONE)).to_be_visible()


async def test_two_tabs_connect_at_the_same_time(
    browser: Browser, harness: Harness, window: Window
) -> None:
    link = await harness.connect_link()
    await window.page.goto(link)
    await start_at_tiktok(window)
    second = Window(await window.page.context.new_page(), window.allowed_origins)
    await second.page.goto(link)
    await start_at_tiktok(second)
    for tab in (window.page, second.page):
        await tab.get_by_role("button", name="Allow").click()
        await expect(tab.locator(DONE)).to_be_visible()


async def test_a_link_of_a_server_connects_nothing_before_the_person_confirms(
    harness: Harness, window: Window
) -> None:
    await callback_asks_for_confirmation(harness, window)
    heading = f"Connect TikTok to user {ANNA}?"
    await expect(window.page.get_by_role("heading", name=heading)).to_be_visible()
    assert (await harness.get("/connections"))["connections"] == []
    await window.page.get_by_role("button", name="Connect", exact=True).click()
    await expect(window.page.locator(DONE)).to_be_visible()
    assert (await harness.only_connection())["user_id"] == ANNA


async def test_a_connection_can_be_confirmed_with_the_keyboard_only(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await callback_asks_for_confirmation(harness, window)
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Connect", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(DONE)).to_be_visible()


async def test_a_link_to_the_start_on_another_page_connects_nothing_before_the_person_confirms(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await window.page.goto(f"{harness.url}/oauth/start?family=login_kit")
    await window.page.get_by_role("button", name="Allow").click()
    await expect(window.page.locator("[data-confirm]")).to_be_visible()
    assert (await harness.get("/connections"))["connections"] == []


async def test_a_reload_before_the_confirmation_asks_again(
    harness: Harness, window: Window
) -> None:
    await callback_asks_for_confirmation(harness, window)
    await window.page.reload()
    await expect(window.page.locator("[data-confirm]")).to_be_visible()
    assert (await harness.get("/connections"))["connections"] == []


async def test_a_refused_confirmation_deletes_the_code_from_the_page(
    harness: Harness, window: Window
) -> None:
    await callback_after_a_refused_confirmation(harness, window)
    await window.page.reload()
    await expect(window.page.locator("[data-error=no_callback]")).to_be_visible()
    assert (await harness.get("/connections"))["connections"] == []


async def test_neither_a_session_nor_the_address_replaces_the_confirmation(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await window.page.goto(f"{await harness.callback_url_of_a_server()}&confirmed=true")
    await expect(window.page.locator("[data-confirm]")).to_be_visible()
    assert (await harness.get("/connections"))["connections"] == []
