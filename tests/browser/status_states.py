"""Page states of /status."""

from __future__ import annotations

from playwright.async_api import expect

from tests.credentials import API_KEYS

from .harness import BERT, Harness, Window
from .page_states import page_state
from .steps import fail_a_refresh, lose_the_advertiser, revoke_at_tiktok

COPIED_COLUMNS = """
    scopes, accounts, selected_advertiser, advertiser_lost, expires_at, refresh_expires_at,
    verified_at, last_failure, token_version, granted_at, created_at, updated_at
"""
NEW_COLUMNS = "id, user_id, family, tiktok_user_id, status, connected_at"
NEW_VALUES = """
    lower(hex(randomblob(4))) || '-0000-4000-8000-' || lower(hex(randomblob(6))), user_id, family,
    'user ' || '{status}' || n.value, '{status}', strftime('%Y-%m-%dT%H:%M:%f000+00:00', connected_at, '-' || n.value || ' seconds')
"""


def copy_connections(harness: Harness, count: int, *, status: str = "active") -> None:
    """Copies the first connection into older ones with the given status."""
    harness.database.script(
        f"insert into connections ({NEW_COLUMNS}, {COPIED_COLUMNS}) "
        f"select {NEW_VALUES.format(status=status)}, {COPIED_COLUMNS} "
        f"from (select * from connections order by rowid limit 1), "
        f"json_each('{list(range(1, count + 1))}') n"
    )


@page_state
async def status_with_the_sign_in_form(harness: Harness, window: Window) -> None:
    window.expect_statuses(401)
    await window.page.goto(f"{harness.url}/status")
    await expect(window.page.get_by_label("API key")).to_be_focused()


@page_state
async def status_with_a_wrong_api_key(harness: Harness, window: Window) -> None:
    await status_with_the_sign_in_form(harness, window)
    await window.page.get_by_label("API key").fill("a-wrong-key")
    await window.page.keyboard.press("Enter")
    await expect(window.page.get_by_text("This API key is not valid.")).to_be_visible()


async def open_as_operator(harness: Harness, window: Window) -> None:
    await window.page.goto(f"{harness.url}/status#ticket={API_KEYS[0]}")
    await expect(window.page.locator(".live")).to_have_text("Live")


@page_state
async def status_without_connections(harness: Harness, window: Window) -> None:
    await open_as_operator(harness, window)
    await expect(window.page.get_by_text("Nothing is connected yet")).to_be_visible()


@page_state
async def status_with_working_connections(harness: Harness, window: Window) -> None:
    for family in ("marketing", "accounts", "login_kit"):
        await harness.connect(family=family)
        harness.simulator.clock.advance(15 * 60)
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    await expect(window.page.get_by_text("All connections work")).to_be_visible()
    await expect(window.page.get_by_role("heading", name="Robin Taylor")).to_have_count(2)


@page_state
async def status_with_failing_connections(harness: Harness, window: Window) -> None:
    """Shows a full day in the chart, with the attempts of one connection open."""
    response = await harness.connect(family="login_kit", user_id=BERT)
    harness.add_a_day_of_attempts(response["connection_id"])
    await lose_the_advertiser(harness)
    await fail_a_refresh(harness, response)
    await revoke_at_tiktok(harness, await harness.connect(family="accounts"))
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    await window.page.locator(".connection-row[data-status=refresh_failing] summary").click()
    await expect(window.page.locator(".attempts li").first).to_be_visible()


@page_state
async def status_with_many_connections(harness: Harness, window: Window) -> None:
    """Shows the second page of a list that is limited to one family."""
    await harness.connect(family="login_kit")
    copy_connections(harness, 35)
    copy_connections(harness, 17, status="reconnect_required")
    await open_as_operator(harness, window)
    await window.page.get_by_label("Kind").select_option(value="login_kit")
    await window.page.get_by_role("button", name="Next page").click()
    await expect(window.page.get_by_role("button", name="First page")).to_be_visible()


@page_state
async def status_without_a_match(harness: Harness, window: Window) -> None:
    await harness.connect()
    await open_as_operator(harness, window)
    await window.page.get_by_label("Search").fill("nobody")
    await expect(window.page.get_by_text("No connection matches")).to_be_visible()


@page_state
async def status_for_one_person(harness: Harness, window: Window) -> None:
    await harness.connect()
    await harness.connect(user_id=BERT)
    ticket = (await harness.create_ticket())["ticket"]
    await window.page.goto(f"{harness.url}/status#ticket={ticket}")
    await expect(window.page.locator(".connection-row[data-status]")).to_have_count(1)
