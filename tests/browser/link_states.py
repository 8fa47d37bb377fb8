"""Page states that show for whom a link is."""

from __future__ import annotations

from playwright.async_api import expect

from connector.model import UserId
from tests.credentials import API_KEYS

from .harness import BERT, Harness, Window
from .page_states import page_state
from .status_states import open_as_operator

QUESTION = "[data-link-question]"
ANNAS_NAME, BERTS_NAME = "Anna Schmidt", "Bert Brandt (bert@example.com)"


async def open_question(window: Window, link: str) -> None:
    await window.page.goto(link)
    await expect(window.page.locator(QUESTION)).to_be_visible()


async def sign_in_as_anna(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.connect_link(display_name=ANNAS_NAME))
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


@page_state
async def connect_for_a_user_with_a_long_name(harness: Harness, window: Window) -> None:
    user_id = UserId("<b>" + "user-id-of-the-customer/" * 5)
    name = "\u202e<i>" + "Wolfeschlegelsteinhausenbergerdorff" * 2
    await window.page.goto(await harness.connect_link(user_id, display_name=name))
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


@page_state
async def link_asks_about_a_user_with_a_long_name(harness: Harness, window: Window) -> None:
    await connect_for_a_user_with_a_long_name(harness, window)
    name = "Wolfeschlegelsteinhausenbergerdorff" * 2
    await open_question(window, await harness.connect_link(BERT, display_name=name))


@page_state
async def link_asks_before_it_changes_the_user(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)
    await open_question(window, await harness.connect_link(BERT, display_name=BERTS_NAME))


@page_state
async def link_asks_before_it_signs_in_the_operator(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)
    await open_question(window, f"{harness.url}/status#ticket={API_KEYS[0]}")


@page_state
async def link_asks_before_it_replaces_the_operator(harness: Harness, window: Window) -> None:
    await open_as_operator(harness, window)
    ticket = (await harness.create_ticket(BERT, display_name=BERTS_NAME))["ticket"]
    await open_question(window, f"{harness.url}/status#ticket={ticket}")


@page_state
async def connect_as_a_user_with_a_name(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)


@page_state
async def connect_after_another_tab_has_changed_the_user(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)
    other_tab = await window.page.context.new_page()
    await other_tab.goto(await harness.connect_link(BERT, display_name=BERTS_NAME))
    await other_tab.get_by_role("button", name="Change the user").click()
    await expect(other_tab.locator("[data-part=connect]")).to_have_count(3)
    await other_tab.close()
    window.expect_statuses(403)
    await window.page.get_by_role("button", name="Connect TikTok profile").click()
    await expect(window.page.locator("[data-error=user_changed]")).to_be_visible()
