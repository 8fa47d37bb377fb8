"""/connect: a person connects, selects an ad account, reconnects and disconnects."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from .harness import Harness, Window
from .steps import lose_the_advertiser, revoke_at_tiktok, select_advertiser

ALL_DATA_OF_THE_PAGE = """() => [
  document.documentElement.outerHTML, location.href, JSON.stringify(history.state),
  JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie,
].join("\\n")"""


async def page_data(page: Page) -> str:
    return str(await page.evaluate(ALL_DATA_OF_THE_PAGE))


async def test_a_person_with_a_link_connects_an_ad_account_that_is_stored(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Connect TikTok Ads").click()
    await page.get_by_role("button", name="Allow").click()
    option = page.get_by_role("option").nth(2)
    name = await option.locator("b").inner_text()
    advertiser_id = await option.locator(".id").inner_text()
    await option.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page).to_have_url(f"{harness.url}/connect")
    await expect(page.locator(".connection")).to_contain_text(name)
    stored = harness.database.row("user_accounts")
    assert (stored["tiktok_business_id"], stored["tiktok_account_id"]) == (advertiser_id, name)
    connection = await harness.only_connection()
    token = (await harness.get(f"/connections/{connection['id']}/token"))["access_token"]
    assert token not in await page_data(page)


async def test_an_ad_account_can_be_connected_with_the_keyboard_only(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.connect_link())
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Connect TikTok Ads")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Allow").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Choose an ad account")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("listbox")).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Use this ad account")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".connection")).to_be_visible()
    last = harness.database.row("connections")["accounts"][-1]
    assert harness.database.row("user_accounts")["tiktok_business_id"] == last["id"]


async def test_the_ticket_is_removed_from_the_address_bar_and_is_not_stored_by_the_page(
    harness: Harness, window: Window
) -> None:
    ticket = await harness.create_ticket()
    await window.page.goto(ticket["url"])
    await expect(window.page).to_have_url(f"{harness.url}/connect")
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    assert ticket["ticket"] not in await page_data(window.page)
    (cookie,) = await window.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert ticket["ticket"] != cookie["value"]


async def test_the_page_can_be_opened_again_with_the_session_cookie_instead_of_the_link(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await window.page.reload()
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


async def test_a_connect_link_can_contain_the_return_address(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.connect_link(return_to="/status"))
    await page.get_by_role("button", name="Connect TikTok profile").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("link", name="Continue").click()
    await expect(page).to_have_url(f"{harness.url}/status")


async def test_disconnecting_asks_for_confirmation_first(harness: Harness, window: Window) -> None:
    page = window.page
    await harness.connect()
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    assert (await harness.only_connection())["status"] == "active"
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("button", name="Connect TikTok Ads")).to_be_visible()
    await expect(page.get_by_role("heading", name="TikTok Ads")).to_be_focused()
    await expect(page.locator("#announcer")).to_have_text(re.compile("is disconnected"))
    assert (await harness.only_connection())["status"] == "revoked"


async def test_a_failed_disconnect_is_shown_in_the_dialog(harness: Harness, window: Window) -> None:
    page = window.page
    window.expects_network_errors = True
    await harness.connect()
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Disconnect").click()
    await page.route("**/connections/*", lambda route: route.abort())
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.get_by_role("alert")).to_contain_text("try again")
    await expect(page.get_by_role("dialog")).to_be_visible()


async def test_a_person_can_select_another_ad_account(harness: Harness, window: Window) -> None:
    page = window.page
    response = await harness.connect(advertisers=5)
    await select_advertiser(harness, response, 2)
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Choose another").click()
    await expect(page.get_by_role("option", selected=True)).to_contain_text("Current")
    await page.get_by_role("option").nth(4).click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator(".connection")).to_contain_text(response["advertisers"][4]["name"])
    selected = (await harness.only_connection())["advertiser"]
    assert selected == response["advertisers"][4]


async def test_a_lost_ad_account_can_be_replaced_by_the_only_remaining_one(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await lose_the_advertiser(harness)
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Choose another").click()
    await expect(page.get_by_text("TikTok no longer lists it")).to_be_visible()
    await expect(page.get_by_role("combobox")).to_be_hidden()
    await expect(page.get_by_role("option", selected=True)).to_contain_text("Velvet Surf")
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.locator(".connection .status")).to_have_text("Connected")


async def test_reconnecting_after_a_revocation_updates_the_same_connection(
    harness: Harness, window: Window
) -> None:
    page = window.page
    response = await harness.connect(family="login_kit")
    await revoke_at_tiktok(harness, response)
    await page.goto(await harness.connect_link())
    await page.get_by_role("button", name="Connect again").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("link", name="Continue").click()
    await expect(page.locator(".connection .status")).to_have_text("Connected")
    connection = await harness.only_connection()
    assert (connection["id"], connection["status"]) == (response["connection_id"], "active")


async def test_signing_out_deletes_the_session_cookie(harness: Harness, window: Window) -> None:
    window.expect_statuses(401)
    await window.page.goto(await harness.connect_link())
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page.locator("[data-no-access=no_link]")).to_be_visible()
    assert await window.page.context.cookies() == []
