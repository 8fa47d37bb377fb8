"""/status: signing in, the live list of connections, the chart and the attempts."""

from __future__ import annotations

import json
import re

from playwright.async_api import expect

from tests.credentials import API_KEYS

from .harness import BERT, Harness, Window
from .status_states import copy_connections, open_as_operator, status_with_the_sign_in_form

ROWS = ".connection-row[data-status]"
POLL_NOW = "dispatchEvent(new Event('online'))"


async def test_the_api_key_is_exchanged_for_a_cookie_and_removed_from_the_page(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect()
    await harness.connect(user_id=BERT)
    await status_with_the_sign_in_form(harness, window)
    await page.get_by_label("API key").fill(API_KEYS[0])
    await page.keyboard.press("Enter")
    await expect(page.locator(ROWS)).to_have_count(2)
    assert API_KEYS[0] not in await page.content()
    (cookie,) = await page.context.cookies()
    assert cookie["httpOnly"]
    assert API_KEYS[0] not in cookie["value"]


async def test_a_wrong_api_key_is_cleared_and_reported(harness: Harness, window: Window) -> None:
    await status_with_the_sign_in_form(harness, window)
    field = window.page.get_by_label("API key")
    await field.fill("not-a-key")
    await window.page.keyboard.press("Enter")
    await expect(window.page.get_by_role("alert")).to_have_text("This API key is not valid.")
    await expect(field).to_have_value("")
    await expect(field).to_be_focused()


async def test_a_new_connection_appears_and_existing_rows_are_not_replaced(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect()
    await open_as_operator(harness, window)
    await page.locator(ROWS).evaluate("(row) => { row.mark = 'same row'; }")
    await harness.connect(user_id=BERT)
    await page.evaluate(POLL_NOW)
    await expect(page.locator(ROWS)).to_have_count(2)
    marks = await page.locator(ROWS).evaluate_all("(rows) => rows.map((row) => row.mark ?? null)")
    assert sorted(marks, key=str) == [None, "same row"]


async def test_the_lifetime_bar_of_a_token_shrinks_while_time_passes(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect(family="login_kit")
    await open_as_operator(harness, window)
    bar = page.get_by_role("meter")
    await expect(bar).to_have_attribute("aria-valuenow", "100")
    harness.simulator.clock.advance(30 * 60)
    await window.sync_clock(harness)
    await expect(bar).to_have_attribute("aria-valuenow", "75")
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("1 hr 30 min"))


async def test_the_button_refresh_now_adds_an_attempt(harness: Harness, window: Window) -> None:
    page = window.page
    await harness.connect(family="login_kit")
    await open_as_operator(harness, window)
    await page.get_by_text("Attempts", exact=True).click()
    await expect(page.locator(".attempts li")).to_have_count(1)
    await page.get_by_role("button", name="Refresh now").click()
    await expect(page.locator(".attempts li")).to_have_count(2)
    await expect(page.locator(".attempts li").first).to_contain_text("Refresh")


async def test_a_failed_refresh_shows_the_reason(harness: Harness, window: Window) -> None:
    page = window.page
    window.expect_statuses(503)
    await harness.connect(family="login_kit")
    await harness.simulator.fault("/v2/oauth/token", "status", 503)
    await open_as_operator(harness, window)
    await page.get_by_role("button", name="Refresh now").click()
    await expect(page.locator("[data-part=notice]")).to_contain_text("TikTok")
    await expect(page.locator(".connection-row .status")).to_have_text("Retrying")


async def test_attempts_are_filtered_by_result_and_copied_as_json(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    response = await harness.connect()
    harness.add_a_day_of_attempts(response["connection_id"])
    await open_as_operator(harness, window)
    await page.get_by_text("Attempts", exact=True).click()
    await page.get_by_label("Show").select_option(label="Only tiktok_unreachable")
    items = page.locator(".attempts li")
    count = await items.count()
    await expect(page.locator(".attempts li[data-ok=no]")).to_have_count(count)
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert {attempt["result"] for attempt in copied} == {"tiktok_unreachable"}
    assert len(copied) == count > 0


async def test_the_activity_chart_has_a_table_with_the_same_numbers(
    harness: Harness, window: Window
) -> None:
    page = window.page
    response = await harness.connect()
    harness.add_a_day_of_attempts(response["connection_id"])
    await open_as_operator(harness, window)
    await expect(page.get_by_role("img", name="Last 24 hours")).to_be_visible()
    await page.get_by_text("Show as a table").click()
    await expect(page.get_by_role("row")).to_have_count(25)
    failed = await page.locator("tbody td:last-child").all_inner_texts()
    hours = (await harness.get("/activity"))["hours"]
    assert sum(map(int, failed)) == sum(h["count"] for h in hours if h["result"] != "ok") > 0


async def test_a_long_list_has_pages_and_the_address_names_the_page(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect()
    copy_connections(harness, 119)
    await open_as_operator(harness, window)
    for count in (50, 50, 20):
        await expect(page.locator(ROWS)).to_have_count(count)
        address, next_page = page.url, page.get_by_role("button", name="Next page")
        if count == 50:
            await next_page.click()
            await expect(page).not_to_have_url(address)
            await expect(page.locator("#list-title")).to_be_focused()
    await expect(next_page).to_be_hidden()
    await page.reload()
    await expect(page.locator(ROWS)).to_have_count(20)
    await page.go_back()
    await expect(page.locator(ROWS)).to_have_count(50)
    await page.get_by_role("button", name="First page").click()
    await expect(page).to_have_url(f"{harness.url}/status")


async def test_the_summary_counts_the_connections_of_all_pages(
    harness: Harness, window: Window
) -> None:
    await harness.connect()
    copy_connections(harness, 1001)
    copy_connections(harness, 17, status="reconnect_required")
    await open_as_operator(harness, window)
    await expect(window.page.get_by_text("17 connections need reconnecting")).to_be_visible()
    first = window.page.locator(ROWS).first
    await expect(first).to_have_attribute("data-status", "reconnect_required")
    status = window.page.get_by_label("Status")
    await expect(status.get_by_role("option")).to_have_text(
        [
            "All (1,019)",
            "Needs reconnecting (17)",
            "Retrying (0)",
            "Connected (1,002)",
            "Disconnected (0)",
        ]
    )


async def test_the_list_is_filtered_and_the_address_keeps_the_filters(
    harness: Harness, window: Window
) -> None:
    page = window.page
    response = await harness.connect(family="login_kit")
    await harness.connect(advertisers=[{"id": "7000000000000000098", "name": "Velvet Surf"}])
    await harness.call("DELETE", f"/connections/{response['connection_id']}")
    await open_as_operator(harness, window)
    await page.get_by_label("Status").select_option(value="revoked")
    await expect(page.locator(ROWS)).to_have_count(1)
    await expect(page).to_have_url(f"{harness.url}/status?status=revoked")
    await page.get_by_label("Kind").select_option(label="TikTok Ads")
    await expect(page.get_by_text("No connection matches")).to_be_visible()
    await page.go_back()
    await expect(page.locator(ROWS)).to_have_count(1)
    await expect(page.get_by_label("Kind")).to_have_value("")
    await page.reload()
    await expect(page.get_by_label("Status")).to_have_value("revoked")
    await expect(page.locator(ROWS)).to_have_attribute("data-status", "revoked")


async def test_a_search_finds_a_connection_by_its_name_or_id(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect(advertisers=[{"id": "7000000000000000098", "name": "Velvet Surf"}])
    await harness.connect(user_id=BERT)
    await open_as_operator(harness, window)
    search = page.get_by_label("Search")
    for query in ("velv", "7000000000000000098"):
        await search.fill(query)
        await expect(page.locator(ROWS)).to_have_count(1)
        await expect(page.get_by_role("heading", name="Velvet Surf")).to_be_visible()
        await search.fill("")
        await expect(page.locator(ROWS)).to_have_count(2)
    await search.fill("surf")
    await page.get_by_role("button", name="Show all connections").click()
    await expect(page.locator(ROWS)).to_have_count(2)
    await expect(search).to_have_value("")


async def test_an_address_with_a_wrong_filter_shows_all_connections(
    harness: Harness, window: Window
) -> None:
    window.expect_statuses(400)
    await harness.connect()
    await window.page.goto(f"{harness.url}/status?status=x&after=x#ticket={API_KEYS[0]}")
    await expect(window.page.locator(ROWS)).to_have_count(1)
    await expect(window.page).to_have_url(f"{harness.url}/status")


async def test_a_poll_reads_one_page_and_no_single_connection(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect(family="login_kit")
    copy_connections(harness, 60)
    await open_as_operator(harness, window)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url.removeprefix(harness.url)))
    await page.evaluate(POLL_NOW)
    await expect(page.locator(ROWS)).to_have_count(50)
    while len(requests) < 2:
        await page.wait_for_timeout(20)
    assert sorted(requests)[:2] == ["/activity", "/connections?limit=50"]


async def test_an_unreachable_service_is_reported_until_it_responds_again(
    harness: Harness, window: Window
) -> None:
    page = window.page
    window.expects_network_errors = True
    await open_as_operator(harness, window)
    await page.route("**/activity", lambda route: route.abort())
    await page.evaluate(POLL_NOW)
    await expect(page.get_by_text("The service is not reachable")).to_be_visible()
    await page.unroute("**/activity")
    await page.evaluate(POLL_NOW)
    await expect(page.locator(".live")).to_have_text("Live")


async def test_an_expired_session_asks_for_the_api_key_again(
    harness: Harness, window: Window
) -> None:
    window.expect_statuses(401)
    await open_as_operator(harness, window)
    harness.simulator.clock.advance(9 * 3600)
    await window.page.evaluate(POLL_NOW)
    await expect(window.page.get_by_text("Your session has ended")).to_be_visible()
