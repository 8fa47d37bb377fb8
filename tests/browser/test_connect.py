"""/connect: from the link a person is sent to the ad account in the store, and back out again."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from .scene import Scene, Window
from .states import BERT, choose, lose_the_advertiser, withdraw

EVERYTHING_A_PAGE_HOLDS = """() => [
  document.documentElement.outerHTML, location.href, JSON.stringify(history.state),
  JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie,
].join("\\n")"""


async def held(page: Page) -> str:
    return str(await page.evaluate(EVERYTHING_A_PAGE_HOLDS))


async def test_a_person_comes_by_a_link_and_leaves_with_an_ad_account_in_the_store(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Connect TikTok Ads").click()
    await page.get_by_role("button", name="Allow").click()
    option = page.get_by_role("option").nth(2)
    name, id = await option.locator("b").inner_text(), await option.locator(".id").inner_text()
    await option.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page).to_have_url(f"{scene.url}/connect")
    await expect(page.locator(".connection")).to_contain_text(name)
    stored = scene.place.row("user_accounts")
    assert (stored["tiktok_business_id"], stored["tiktok_account_id"]) == (id, name)
    connection = await scene.only_connection()
    token = (await scene.get(f"/connections/{connection['id']}/token"))["access_token"]
    assert token not in await held(page)


async def test_the_keyboard_alone_is_enough(scene: Scene, window: Window) -> None:
    page = window.page
    await page.goto(await scene.link())
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Connect TikTok Ads")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Allow").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Choose the ad account")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("listbox")).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Use this ad account")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".connection")).to_be_visible()
    last = scene.place.row("connections")["accounts"][-1]
    assert scene.place.row("user_accounts")["tiktok_business_id"] == last["id"]


async def test_the_ticket_leaves_the_address_bar_and_is_nowhere_in_the_page(
    scene: Scene, window: Window
) -> None:
    ticket = await scene.ticket()
    await window.page.goto(ticket["url"])
    await expect(window.page).to_have_url(f"{scene.url}/connect")
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    assert ticket["ticket"] not in await held(window.page)
    (cookie,) = await window.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert ticket["ticket"] != cookie["value"]


async def test_the_page_can_be_opened_again_without_the_link(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await window.page.reload()
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


async def test_another_persons_link_in_the_same_tab_is_taken(scene: Scene, window: Window) -> None:
    await scene.connected(user_id=BERT)
    await window.page.goto(await scene.link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await window.page.goto(await scene.link(BERT))
    await expect(window.page.locator(".connection")).to_be_visible()


async def test_a_link_may_say_where_to_go_afterwards(scene: Scene, window: Window) -> None:
    page = window.page
    await page.goto(await scene.link(return_to="/status"))
    await page.get_by_role("button", name="Connect TikTok profile").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("link", name="Continue").click()
    await expect(page).to_have_url(f"{scene.url}/status")


async def test_disconnecting_asks_first_and_then_forgets(scene: Scene, window: Window) -> None:
    page = window.page
    await scene.connected()
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Escape")
    assert (await scene.only_connection())["status"] == "active"
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("button", name="Connect TikTok Ads")).to_be_visible()
    await expect(page.get_by_role("heading", name="TikTok Ads")).to_be_focused()
    await expect(page.locator("#announcer")).to_have_text(re.compile("is disconnected"))
    assert (await scene.only_connection())["status"] == "revoked"


async def test_a_disconnecting_that_fails_is_told_in_the_dialog(
    scene: Scene, window: Window
) -> None:
    page = window.page
    window.losing = True
    await scene.connected()
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Disconnect").click()
    await page.route("**/connections/*", lambda route: route.abort())
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("alert")).to_contain_text("try again")
    await expect(page.get_by_role("dialog")).to_be_visible()


async def test_another_ad_account_can_be_chosen(scene: Scene, window: Window) -> None:
    page = window.page
    told = await scene.connected(advertisers=5)
    await choose(scene, told, 2)
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Choose another").click()
    await expect(page.get_by_role("option", selected=True)).to_contain_text("Current")
    await page.get_by_role("option").nth(4).click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator(".connection")).to_contain_text(told["advertisers"][4]["name"])
    chosen = (await scene.only_connection())["advertiser"]
    assert chosen == told["advertisers"][4]


async def test_a_lost_ad_account_is_replaced_by_the_only_one_left(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await lose_the_advertiser(scene)
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Choose another").click()
    await expect(page.get_by_text("is no longer among them")).to_be_visible()
    await expect(page.get_by_role("combobox")).to_be_hidden()
    await expect(page.get_by_role("option", selected=True)).to_contain_text("Velvet Surf")
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.locator(".connection .status")).to_have_text("Connected")


async def test_a_withdrawn_access_is_given_anew_in_the_same_connection(
    scene: Scene, window: Window
) -> None:
    page = window.page
    told = await scene.connected(family="login_kit")
    await withdraw(scene, told)
    await page.goto(await scene.link())
    await page.get_by_role("button", name="Connect again").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("link", name="Continue").click()
    await expect(page.locator(".connection .status")).to_have_text("Connected")
    connection = await scene.only_connection()
    assert (connection["id"], connection["status"]) == (told["connection_id"], "active")


async def test_signing_out_forgets_the_person(scene: Scene, window: Window) -> None:
    window.expects(401)
    await window.page.goto(await scene.link())
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page.locator("[data-gate=none]")).to_be_visible()
    assert await window.page.context.cookies() == []
