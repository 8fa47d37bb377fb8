"""/status: what an operator sees of events and webhooks, and does with the endpoints."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.credentials import API_KEYS
from tests.events.receiver import running_receiver
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP

from .event_states import (
    DELIVERIES,
    ENDPOINTS,
    WEBHOOKS,
    receive_webhooks,
    three_endpoints,
)
from .harness import BERT, Harness, Window, open_window, running_harness
from .status_states import open_as_operator

POLL_NOW = "dispatchEvent(new Event('online'))"
VIEWER_KEY = "viewer-key-0123456789abcdef"
CONNECTION = ".connection-row[data-status]"
SECRET = "whsec_" + "A" * 43 + "="


async def click(page: Page, name: str) -> None:
    """Clicks a button of the open dialog, or else of the page."""
    dialog = page.get_by_role("dialog")
    root = dialog if await dialog.count() else page
    await root.get_by_role("button", name=name, exact=True).click()


async def test_an_endpoint_is_added_and_its_secret_is_shown_once(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expect_statuses(422)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_as_operator(harness, window)
    await expect(page.get_by_text("No endpoint yet")).to_be_visible()
    await click(page, "Add endpoint")
    address, failure = page.get_by_label("Address"), page.get_by_role("alert")
    await page.keyboard.press("Enter")
    await expect(failure).to_have_text("Enter the address of the endpoint.")
    await address.fill("http://10.0.0.7:8000/hook")
    await page.keyboard.press("Enter")
    await expect(failure).to_contain_text("is not public")
    await expect(address).to_be_focused()
    async with running_receiver() as receiver:
        await address.fill(receiver.url)
        await page.get_by_role("checkbox", name="Webhooks from TikTok").check()
        await page.get_by_label("Other types of events").fill("endpoint.disabled")
        await page.get_by_label("Description").fill("Production")
        await page.keyboard.press("Enter")
        secret = await page.get_by_label("Secret", exact=True).input_value()
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
        await page.keyboard.press("Escape")
        await click(page, "Copy")
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == secret
        await click(page, "Done")
    await expect(page.get_by_role("button", name="Add endpoint")).to_be_focused()
    assert secret not in await page.content()
    row = page.locator(ENDPOINTS)
    await expect(row.get_by_role("heading")).to_have_text(receiver.url)
    await expect(row.get_by_role("listitem")).to_have_text(
        ["connection.*", "tiktok.*", "endpoint.disabled"]
    )
    await expect(row.locator(".status")).to_have_text("Nothing delivered yet")


async def test_a_test_shows_its_result_beside_the_endpoint(
    harness: Harness, window: Window
) -> None:
    page = window.page
    _, receiver = await harness.add_endpoint()
    await open_as_operator(harness, window)
    result = page.locator(f"{ENDPOINTS} .result")
    await click(page, "Send test")
    await expect(result).to_have_text("Test delivered: status 200 after 0 ms.")
    assert receiver.types == ["endpoint.test"]
    await expect(page.get_by_role("button", name="Send test")).to_be_focused()
    receiver.status = 500
    await click(page, "Send test")
    await expect(result).to_have_text(
        "Test not delivered after 0 ms. The endpoint responded with 500."
    )
    await expect(page.locator("#announcer")).to_contain_text("Test not delivered")


async def test_deliveries_are_listed_and_filtered(harness: Harness, window: Window) -> None:
    page = window.page
    (works, _), (fails, _), (disabled, _) = await three_endpoints(harness)
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    deliveries = page.locator(DELIVERIES)
    items = deliveries.get_by_role("listitem")
    await expect(items).to_have_count(6)
    await expect(deliveries).to_contain_text("6 deliveries")
    await deliveries.get_by_label("Endpoint").select_option(label=fails["url"])
    await expect(items).to_have_count(2)
    await expect(items.last).to_contain_text("connection.connected")
    await expect(items.last).to_contain_text("Retrying")
    await expect(items.last).to_contain_text(f"{fails['url']} · 2 attempts · Status 500 · 0 ms")
    await expect(items.last).to_contain_text("Next attempt in ")
    await expect(items.last).to_contain_text("The endpoint responded with 500.")
    await deliveries.get_by_label("State").select_option(label="Delivered")
    await expect(deliveries.get_by_text("No delivery matches.")).to_be_visible()
    await deliveries.get_by_label("Endpoint").select_option(label=works["url"])
    await expect(items).to_have_count(3)
    await deliveries.get_by_label("Endpoint").select_option(label=disabled["url"])
    await deliveries.get_by_label("State").select_option(label="Dropped")
    await expect(items).to_have_count(1)
    await expect(items).to_contain_text("The endpoint was disabled")


async def test_a_disabled_endpoint_is_enabled_and_gets_what_it_has_missed(
    harness: Harness, window: Window
) -> None:
    page = window.page
    _, _, (_, receiver) = await three_endpoints(harness)
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    await expect(page.get_by_role("link", name="2 endpoints do not get")).to_be_visible()
    row = page.locator(ENDPOINTS).filter(has_text=receiver.url)
    await expect(row.locator(".problem")).to_contain_text("The endpoint responded with 410")
    await expect(row.get_by_role("button", name="Replay")).to_be_hidden()
    await row.get_by_role("button", name="Enable").click()
    await expect(row.locator(".status")).to_have_text("Nothing delivered yet")
    await expect(page.get_by_role("link", name="1 endpoint does not get")).to_be_visible()
    receiver.status = 200
    receiver.received.clear()
    for text in ("2 events are queued.", "Nothing to replay"):
        await row.get_by_role("button", name="Replay").click()
        await page.get_by_label("Events of the last").select_option(label="30 days")
        await click(page, "Replay")
        await expect(row.locator(".result")).to_contain_text(text)
        await harness.deliver_events()
    assert receiver.types == ["connection.connected"] * 2
    await page.evaluate(POLL_NOW)
    await expect(row.locator(".status")).to_have_text("Works")
    await row.get_by_role("button", name="Disable").click()
    await expect(row.locator(".status")).to_have_text("Disabled")
    await expect(row.get_by_role("button", name="Enable")).to_be_focused()


async def test_a_secret_is_rotated_and_an_endpoint_is_deleted_after_a_question(
    harness: Harness, window: Window
) -> None:
    page = window.page
    created, receiver = await harness.add_endpoint()
    await open_as_operator(harness, window)
    await click(page, "Rotate secret")
    await expect(page.get_by_label("Grace time")).to_have_value("24")
    await click(page, "Rotate secret")
    secret = await page.get_by_label("Secret", exact=True).input_value()
    assert secret.startswith("whsec_")
    assert secret != created["secret"]
    await click(page, "Done")
    await expect(page.get_by_role("button", name="Rotate secret")).to_be_focused()
    await harness.connect()
    await harness.deliver_events()
    assert len(receiver.received[0].signature.split()) == 2
    await click(page, "Delete")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(ENDPOINTS)).to_have_count(1)
    await click(page, "Delete")
    await click(page, "Delete")
    await expect(page.get_by_text("No endpoint yet")).to_be_visible()
    await expect(page.get_by_role("heading", name="Events", exact=True)).to_be_focused()
    assert (await harness.get("/endpoints"))["endpoints"] == []


async def test_an_action_that_fails_says_so_and_can_be_repeated(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expects_network_errors = True
    window.expect_statuses(503)
    await harness.add_endpoint()
    await open_as_operator(harness, window)
    await page.route("**/endpoints/*/*", lambda route: route.abort())
    await page.route("**/endpoints/*", lambda route: route.abort())
    result = page.locator(f"{ENDPOINTS} .result")
    for action in ("Send test", "Disable"):
        await click(page, action)
        await expect(result).to_contain_text("Your internet connection or our server has a problem")
        await expect(page.get_by_role("button", name=action)).to_be_enabled()
    for action in ("Replay", "Rotate secret", "Delete"):
        await click(page, action)
        await click(page, action)
        await expect(page.get_by_role("alert")).to_contain_text("Your internet connection")
        await click(page, "Cancel")
    await page.unroute_all()
    harness.database.script("alter table endpoints rename to endpoints_away")
    await click(page, "Disable")
    await expect(result).to_contain_text("The store does not answer")
    harness.database.script("alter table endpoints_away rename to endpoints")
    await click(page, "Send test")
    await expect(result).to_contain_text("Test delivered")


async def test_a_key_without_the_scope_write_and_a_person_are_offered_no_action(
    browser: Browser, tmp_path: Path
) -> None:
    async with running_receiver() as receiver:
        settings = {
            "CONNECTOR_API_KEYS": f"{API_KEYS[0]},viewer:read:{VIEWER_KEY}",
            "CONNECTOR_WEBHOOK_URL": receiver.url,
            "CONNECTOR_WEBHOOK_SECRET": SECRET,
        }
        async with running_harness(tmp_path, **settings) as harness:
            await harness.connect(user_id=BERT)
            await harness.deliver_events()
            async with open_window(browser, harness) as window:
                page = window.page
                await open_as_operator(harness, window)
                actions = page.locator(ENDPOINTS).get_by_role("button")
                await expect(actions).to_have_text(["Send test", "Replay", "Disable"])
                await expect(page.locator(DELIVERIES).get_by_role("listitem")).to_have_count(1)
            async with open_window(browser, harness) as window:
                page = window.page
                await page.goto(f"{harness.url}/status#ticket={VIEWER_KEY}")
                await expect(page.locator(ENDPOINTS)).to_have_count(1)
                await expect(page.locator(f"{ENDPOINTS} button:visible")).to_have_count(0)
                for action in ("Add endpoint", "Refresh now"):
                    await expect(page.get_by_role("button", name=action)).to_be_hidden()
            async with open_window(browser, harness) as window:
                await open_as_person(harness, window)


async def open_as_person(harness: Harness, window: Window) -> None:
    page = window.page
    paths: list[str] = []
    page.on("request", lambda request: paths.append(request.url.removeprefix(harness.url)))
    ticket = (await harness.create_ticket(BERT))["ticket"]
    await page.goto(f"{harness.url}/status#ticket={ticket}")
    await expect(page.locator(".live")).to_have_text("Live")
    await page.evaluate(POLL_NOW)
    while paths.count("/activity") < 2:
        await page.wait_for_timeout(20)
    await expect(page.get_by_role("heading", level=2)).to_have_text(
        ["Last 24 hours", "List of connections"]
    )
    await expect(page.get_by_role("button", name="Refresh now")).to_be_visible()
    operators = ("/endpoints", "/deliveries", "/webhooks")
    assert [path for path in paths if path.startswith(operators)] == []


async def test_webhooks_are_listed_and_without_one_the_page_says_where_to_set_the_address(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await open_as_operator(harness, window)
    webhooks = page.locator(WEBHOOKS)
    await expect(webhooks).to_contain_text("No webhook has arrived yet")
    await expect(webhooks.locator("code")).to_have_text(f"{harness.url}/webhooks/tiktok")
    await receive_webhooks(harness)
    await window.sync_clock(harness)
    await page.evaluate(POLL_NOW)
    items = webhooks.get_by_role("listitem")
    await expect(items).to_have_count(4)
    await expect(webhooks.locator("code")).to_be_hidden()
    await expect(items.nth(0)).to_contain_text("post.publish.failed")
    await expect(items.nth(0)).to_contain_text(f"App {BUSINESS_APP.id}")
    await expect(items.nth(1)).to_contain_text("Not readable")
    await expect(items.nth(2)).to_contain_text("Connection ended")
    await expect(items.nth(2)).to_contain_text("TikTok user ")
    await expect(items.nth(3)).to_contain_text("Stored")
    await expect(webhooks.get_by_role("term")).to_have_text(
        [f"Last webhook of app {app.id}" for app in (BUSINESS_APP, LOGIN_KIT_APP)]
    )
    times = webhooks.get_by_role("definition")
    await expect(times).to_have_text(["11 minutes ago", "23 minutes ago"])
    await expect(page.locator(CONNECTION).locator(".status")).to_have_text("Needs reconnecting")
