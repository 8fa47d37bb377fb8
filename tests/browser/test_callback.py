"""/oauth/callback: back from TikTok, whatever TikTok, the person or the line does."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, expect

from .scene import Scene, Window, acting, opened
from .states_back import callback_of_somebody_else, callback_offline

EXCHANGE = "/oauth2/access_token/"


async def exchanges(scene: Scene) -> int:
    log = await scene.simulator.get("/_sim/log")
    return sum(EXCHANGE in str(line) for line in log["calls"])


async def test_the_code_leaves_the_address_bar_at_once(scene: Scene, window: Window) -> None:
    await scene.simulator.fault(EXCHANGE, "hang")
    await window.page.goto(await scene.callback())
    await expect(window.page).to_have_url(f"{scene.url}/oauth/callback")


async def test_a_reload_in_the_middle_goes_on_with_the_same_code(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await page.goto(await scene.callback(advertisers=5))
    await expect(page.get_by_role("option")).to_have_count(5)
    await page.reload()
    await page.get_by_role("option").first.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.locator("[data-state=done]")).to_be_visible()
    assert await exchanges(scene) == 1


async def test_a_reload_at_the_end_shows_the_end_and_holds_no_code(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await page.goto(await scene.callback())
    await expect(page.locator("[data-state=done]")).to_be_visible()
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    await page.reload()
    await expect(page.locator("[data-state=done]")).to_be_visible()
    assert "POST" not in posts
    assert "code" not in str(await page.evaluate("JSON.stringify(history.state)"))


async def test_the_same_address_in_two_windows_connects_once(
    browser: Browser, scene: Scene, window: Window
) -> None:
    address = await scene.callback()
    async with opened(browser, scene) as other:
        for each in (window, other):
            await each.page.goto(address)
        for each in (window, other):
            await expect(each.page.locator("[data-state=done]")).to_be_visible()
    assert await exchanges(scene) == 1
    await scene.only_connection()


async def test_the_choice_confirmed_leads_straight_back(scene: Scene, window: Window) -> None:
    page = window.page
    window.expects(401)  # The next page does not know them.
    await page.goto(await scene.callback(to="/status", advertisers=5))
    await page.get_by_role("option").nth(3).click()
    await page.get_by_role("button", name="Use this ad account").click()
    await page.wait_for_url(f"{scene.url}/status")


async def test_consent_cancelled_at_tiktok_is_told_without_reproach(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Connect TikTok Ads").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("[data-problem=cancelled]")).to_be_visible()
    await page.get_by_role("link", name="Start again").click()
    await expect(page.locator("[data-part=connect]")).to_have_count(3)


async def test_it_tries_again_by_itself_once_tiktok_may_be_back(
    scene: Scene, window: Window
) -> None:
    page = window.page
    window.expects(503)
    await scene.simulator.fault(EXCHANGE, "status", 503)
    await page.goto(await scene.callback())
    await expect(page.get_by_text("Trying again by itself")).to_be_visible()
    scene.simulator.clock.turn(60)
    await window.set_time(scene)
    await expect(page.locator("[data-state=done]")).to_be_visible()


async def test_the_store_may_come_back_and_the_code_is_still_good(
    scene: Scene, window: Window
) -> None:
    page = window.page
    window.expects(503)
    address = await scene.callback()
    scene.without_store()
    await page.goto(address)
    await expect(page.locator("[data-problem=store_unreachable]")).to_be_visible()
    assert await exchanges(scene) == 0
    scene.with_store()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("[data-state=done]")).to_be_visible()


async def test_back_online_it_goes_on_by_itself(scene: Scene, window: Window) -> None:
    await callback_offline(scene, window)
    await window.page.unroute("**/oauth/exchange")
    await window.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(window.page.locator("[data-state=done]")).to_be_visible()


async def test_somebody_elses_attempt_is_left_alone_even_after_signing_out(
    scene: Scene, window: Window
) -> None:
    page = window.page
    window.expects(401)
    await callback_of_somebody_else(scene, window)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("[data-gate=none]")).to_be_visible()
    await page.go_back()
    await expect(page.locator("[data-problem=nothing]")).to_be_visible()
    assert await exchanges(scene) == 0


async def test_a_page_left_open_too_long_to_choose_gets_a_new_ticket_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    async with (
        acting(tmp_path, CONNECTOR_STATE_MINUTES="180") as scene,
        opened(browser, scene) as window,
    ):
        page = window.page
        window.expects(401)
        await page.goto(await scene.callback(advertisers=5))
        await page.get_by_role("option").first.click()
        scene.simulator.clock.turn(61 * 60)
        await page.get_by_role("button", name="Use this ad account").click()
        await expect(page.get_by_role("button", name="Use this ad account")).to_be_disabled()
        await page.get_by_role("option").first.click()
        await page.get_by_role("button", name="Use this ad account").click()
        await expect(page.locator("[data-state=done]")).to_be_visible()


async def test_a_way_on_to_another_site_names_it(scene: Scene, window: Window) -> None:
    host = urlsplit(scene.url).netloc
    await window.page.goto(await scene.callback(to=f"{scene.url}/connect?from=there"))
    way = window.page.get_by_role("link", name="Continue")
    await expect(way).to_have_attribute("href", f"http://{host}/connect?from=there")
