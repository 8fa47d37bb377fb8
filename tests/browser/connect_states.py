"""Page states of /connect."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.credentials import API_KEYS

from .harness import Harness, Window
from .page_states import page_state
from .steps import fail_a_refresh, lose_the_advertiser, revoke_at_tiktok, select_advertiser


@page_state
async def connect_without_a_link(harness: Harness, window: Window) -> None:
    window.expect_statuses(401)
    await window.page.goto(f"{harness.url}/connect")
    await expect(window.page.locator("[data-no-access=no_link]")).to_be_visible()


@page_state
async def connect_with_an_expired_link(harness: Harness, window: Window) -> None:
    window.expect_statuses(401)
    link = await harness.connect_link()
    harness.simulator.clock.advance(31 * 60)
    await window.page.goto(link)
    await expect(window.page.locator("[data-no-access=link_expired]")).to_be_visible()


@page_state
async def connect_as_the_operator(harness: Harness, window: Window) -> None:
    await window.page.goto(f"{harness.url}/connect#ticket={API_KEYS[0]}")
    await expect(window.page.locator("[data-no-access=operator]")).to_be_visible()


@page_state
async def connect_without_connections(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.connect_link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


async def _open_with_connections(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.connect_link())
    await expect(window.page.locator(".connection").first).to_be_visible()


@page_state
async def connect_with_two_connections(harness: Harness, window: Window) -> None:
    await harness.connect()
    await harness.connect(family="login_kit")
    harness.simulator.clock.advance(20 * 60)
    await window.sync_clock(harness)
    await _open_with_connections(harness, window)


@page_state
async def connect_without_a_selected_ad_account(harness: Harness, window: Window) -> None:
    await harness.connect(advertisers=5)
    await _open_with_connections(harness, window)


@page_state
async def connect_with_warnings(harness: Harness, window: Window) -> None:
    """Shows a lost ad account, a failed refresh and a connection that TikTok has ended."""
    await lose_the_advertiser(harness)
    await fail_a_refresh(harness, await harness.connect(family="login_kit"))
    await revoke_at_tiktok(harness, await harness.connect(family="accounts"))
    await _open_with_connections(harness, window)
    await expect(window.page.locator("[data-part=warning]:visible")).to_have_count(3)


@page_state
async def connect_with_the_disconnect_dialog(harness: Harness, window: Window) -> None:
    await harness.connect()
    await _open_with_connections(harness, window)
    await window.page.get_by_role("button", name="Disconnect").click()
    await expect(window.page.get_by_role("dialog")).to_be_visible()


@page_state
async def connect_with_the_picker_dialog(harness: Harness, window: Window) -> None:
    await select_advertiser(harness, await harness.connect(advertisers=5), 2)
    await _open_with_connections(harness, window)
    await window.page.get_by_role("button", name="Choose another").click()
    await expect(window.page.get_by_role("dialog")).to_be_visible()


@page_state
async def connect_after_disconnecting(harness: Harness, window: Window) -> None:
    response = await harness.connect()
    await harness.call("DELETE", f"/connections/{response['connection_id']}")
    harness.simulator.clock.advance(90 * 60)
    await window.sync_clock(harness)
    await window.page.goto(await harness.connect_link())
    history = window.page.locator("[data-part=history] time")
    await expect(history).to_have_text(re.compile("1 hour"))
