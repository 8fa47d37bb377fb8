"""/oauth/callback: what the page does after the redirect from TikTok, and after failures."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.credentials import ANNA

from .callback_states import (
    callback_for_another_person,
    callback_while_offline,
    callback_without_a_code,
)
from .harness import Harness, Window, open_window, running_harness
from .steps import revoke_at_tiktok

EXCHANGE = "/oauth2/access_token/"
DEFAULT_SCOPES = "user.info.basic,video.list"


async def count_exchanges(harness: Harness) -> int:
    log = await harness.simulator.get("/_sim/log")
    return sum(EXCHANGE in str(call) for call in log["calls"])


async def test_the_code_is_removed_from_the_address_bar_immediately(
    harness: Harness, window: Window
) -> None:
    await harness.simulator.fault(EXCHANGE, "hang")
    await window.page.goto(await harness.consent_callback_url())
    await expect(window.page).to_have_url(f"{harness.url}/oauth/callback")


async def test_a_reload_before_the_selection_continues_with_the_same_code(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.consent_callback_url(advertisers=5))
    await expect(page.get_by_role("option")).to_have_count(5)
    await page.reload()
    await page.get_by_role("option").first.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.locator("[data-result=done]")).to_be_visible()
    assert await count_exchanges(harness) == 1


async def test_a_reload_at_the_end_shows_the_result_without_storing_the_code(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.consent_callback_url())
    await expect(page.locator("[data-result=done]")).to_be_visible()
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    await page.reload()
    await expect(page.locator("[data-result=done]")).to_be_visible()
    assert "POST" not in posts
    assert "code" not in str(await page.evaluate("JSON.stringify(history.state)"))


async def test_the_same_callback_in_two_tabs_exchanges_the_code_once(
    harness: Harness, window: Window
) -> None:
    url = await harness.consent_callback_url()
    tabs = (window.page, await window.page.context.new_page())
    for tab in tabs:
        await tab.goto(url)
    for tab in tabs:
        await expect(tab.locator("[data-result=done]")).to_be_visible()
    assert await count_exchanges(harness) == 1
    await harness.only_connection()


async def test_a_confirmed_selection_leads_back_to_return_to(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expect_statuses(401)  # The person has no session on the next page.
    await page.goto(await harness.consent_callback_url(return_to="/status", advertisers=5))
    await page.get_by_role("option").nth(3).click()
    await page.get_by_role("button", name="Use this ad account").click()
    await page.wait_for_url(f"{harness.url}/status")


async def test_consent_cancelled_at_tiktok_can_be_started_again(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Connect TikTok Ads").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("[data-error=no_code]")).to_be_visible()
    await page.get_by_role("button", name="Open TikTok again").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("option").first.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.locator("section.connection")).to_have_count(1)


async def test_a_person_who_returns_without_a_code_is_told_so_and_can_open_tiktok_again(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect(family="accounts", scopes=DEFAULT_SCOPES)
    url = (await harness.call("POST", "/oauth/start", {"user_id": ANNA, "family": "accounts"}))[
        "url"
    ]
    await page.goto(url.replace("disable_auto_auth=1", "disable_auto_auth=0"))
    await expect(page.locator("[data-error=no_code]")).to_contain_text("nothing was connected")
    await page.reload()
    await page.get_by_role("button", name="Open TikTok again").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("[data-result=done]")).to_be_visible()


async def test_a_person_who_has_to_reconnect_gets_a_code_from_tiktok(
    harness: Harness, window: Window
) -> None:
    response = await harness.connect(family="accounts", scopes=DEFAULT_SCOPES)
    await revoke_at_tiktok(harness, response)
    await window.page.goto(await harness.connect_link())
    await window.page.get_by_role("button", name="Connect again").click()
    await window.page.get_by_role("button", name="Allow").click()
    await expect(window.page.locator("[data-result=done]")).to_be_visible()
    assert (await harness.only_connection())["status"] == "active"


async def test_a_return_without_a_code_is_an_error_if_the_state_has_expired(
    harness: Harness, window: Window
) -> None:
    await callback_without_a_code(harness, window)
    harness.simulator.clock.advance(61 * 60)
    window.expect_statuses(410)
    await window.page.get_by_role("button", name="Open TikTok again").click()
    await expect(window.page.locator("[data-error=state_expired]")).to_be_visible()
    await expect(window.page.get_by_role("link", name="Start again")).to_be_visible()


async def test_the_page_retries_automatically_until_tiktok_responds_again(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expect_statuses(503)
    await harness.simulator.fault(EXCHANGE, "status", 503)
    await page.goto(await harness.consent_callback_url())
    await expect(page.get_by_text("We try again automatically")).to_be_visible()
    harness.simulator.clock.advance(60)
    await window.sync_clock(harness)
    await expect(page.locator("[data-result=done]")).to_be_visible()


async def test_a_code_is_still_valid_after_a_database_outage(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expect_statuses(503)
    url = await harness.consent_callback_url()
    harness.break_database()
    await page.goto(url)
    await expect(page.locator("[data-error=store_unreachable]")).to_be_visible()
    assert await count_exchanges(harness) == 0
    harness.repair_database()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("[data-result=done]")).to_be_visible()


async def test_the_page_continues_automatically_when_the_browser_is_online_again(
    harness: Harness, window: Window
) -> None:
    await callback_while_offline(harness, window)
    await window.page.unroute("**/oauth/exchange")
    await window.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(window.page.locator("[data-result=done]")).to_be_visible()


async def test_another_persons_code_is_never_exchanged_even_after_signing_out(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expect_statuses(401)
    await callback_for_another_person(harness, window)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("[data-no-access=no_link]")).to_be_visible()
    await page.go_back()
    await expect(page.locator("[data-error=no_callback]")).to_be_visible()
    assert await count_exchanges(harness) == 0


async def test_an_expired_selection_ticket_is_renewed_automatically(
    browser: Browser, tmp_path: Path
) -> None:
    async with (
        running_harness(tmp_path, CONNECTOR_STATE_MINUTES="180") as harness,
        open_window(browser, harness) as window,
    ):
        page = window.page
        window.expect_statuses(401)
        await page.goto(await harness.consent_callback_url(advertisers=5))
        await page.get_by_role("option").first.click()
        harness.simulator.clock.advance(61 * 60)
        await page.get_by_role("button", name="Use this ad account").click()
        await expect(page.get_by_role("button", name="Use this ad account")).to_be_disabled()
        await page.get_by_role("option").first.click()
        await page.get_by_role("button", name="Use this ad account").click()
        await expect(page.locator("[data-result=done]")).to_be_visible()


async def test_the_continue_link_leads_to_the_signed_return_address(
    harness: Harness, window: Window
) -> None:
    return_to = f"{harness.url}/connect?from=there"
    await window.page.goto(await harness.consent_callback_url(return_to=return_to))
    link = window.page.get_by_role("link", name="Continue")
    await expect(link).to_have_attribute("href", return_to)
