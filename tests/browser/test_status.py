"""/status: whoever may look sees how everything is, and goes on seeing it."""

from __future__ import annotations

import json
import re

from playwright.async_api import expect

from tests.people import KEYS

from .scene import Scene, Window
from .states import BERT
from .states_status import as_operator, status_asking_for_a_key

ROWS = ".row[data-status]"
LOOK_AGAIN = "dispatchEvent(new Event('online'))"
COPIES = """insert into connections
    select lower(hex(randomblob(4))) || '-0000-4000-8000-' || lower(hex(randomblob(6))), user_id,
        family, 'subject ' || n.value, status, scopes, accounts, chosen, advertiser_lost, null,
        expires_at, refresh_expires_at, verified_at, failure, null, null, version, connected_at,
        created_at, updated_at
    from connections, json_each('[%s]') n"""


async def test_the_server_key_leaves_the_page_and_a_cookie_stays(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await scene.connected()
    await scene.connected(user_id=BERT)
    await status_asking_for_a_key(scene, window)
    await page.get_by_label("Server key").fill(KEYS[0])
    await page.keyboard.press("Enter")
    await expect(page.locator(ROWS)).to_have_count(2)
    assert KEYS[0] not in await page.content()
    (cookie,) = await page.context.cookies()
    assert cookie["httpOnly"]
    assert KEYS[0] not in cookie["value"]


async def test_a_wrong_key_is_emptied_and_told(scene: Scene, window: Window) -> None:
    await status_asking_for_a_key(scene, window)
    field = window.page.get_by_label("Server key")
    await field.fill("not-a-key")
    await window.page.keyboard.press("Enter")
    await expect(window.page.get_by_role("alert")).to_have_text("This key is not known here.")
    await expect(field).to_have_value("")
    await expect(field).to_be_focused()


async def test_what_is_new_appears_without_a_reload_and_what_was_there_stays_itself(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await scene.connected()
    await as_operator(scene, window)
    await page.locator(ROWS).evaluate("(row) => { row.mark = 'the very same'; }")
    await scene.connected(user_id=BERT)
    await page.evaluate(LOOK_AGAIN)
    await expect(page.locator(ROWS)).to_have_count(2)
    marks = await page.locator(ROWS).evaluate_all("(rows) => rows.map((row) => row.mark ?? null)")
    assert sorted(marks, key=str) == [None, "the very same"]


async def test_the_bar_shrinks_as_time_goes_by(scene: Scene, window: Window) -> None:
    page = window.page
    await scene.connected(family="login_kit")
    await as_operator(scene, window)
    bar = page.get_by_role("meter")
    await expect(bar).to_have_attribute("aria-valuenow", "100")
    scene.simulator.clock.turn(30 * 60)
    await window.set_time(scene)
    await expect(bar).to_have_attribute("aria-valuenow", "75")
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("1 hr 30 min"))


async def test_refresh_now_is_done_and_stands_in_the_attempts(scene: Scene, window: Window) -> None:
    page = window.page
    await scene.connected(family="login_kit")
    await as_operator(scene, window)
    await page.get_by_text("Attempts", exact=True).click()
    await expect(page.locator(".attempts li")).to_have_count(1)
    await page.get_by_role("button", name="Refresh now").click()
    await expect(page.locator(".attempts li")).to_have_count(2)
    await expect(page.locator(".attempts li").first).to_contain_text("Renewed")


async def test_a_refresh_that_fails_says_why(scene: Scene, window: Window) -> None:
    page = window.page
    window.expects(503)
    await scene.connected(family="login_kit")
    await scene.simulator.fault("/v2/oauth/token", "status", 503)
    await as_operator(scene, window)
    await page.get_by_role("button", name="Refresh now").click()
    await expect(page.locator("[data-part=told]")).to_contain_text("TikTok")
    await expect(page.locator(".row .status")).to_have_text("Being retried")


async def test_attempts_are_filtered_by_verdict_and_copied_as_json(
    scene: Scene, window: Window
) -> None:
    page = window.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    told = await scene.connected()
    scene.live_through_a_day(told["connection_id"])
    await as_operator(scene, window)
    await page.get_by_text("Attempts", exact=True).click()
    await page.get_by_label("Show").select_option(label="Only tiktok_unreachable")
    shown = page.locator(".attempts li")
    count = await shown.count()
    await expect(page.locator(".attempts li[data-well=no]")).to_have_count(count)
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert {attempt["verdict"] for attempt in copied} == {"tiktok_unreachable"}
    assert len(copied) == count > 0


async def test_the_picture_of_the_day_is_a_table_too(scene: Scene, window: Window) -> None:
    page = window.page
    told = await scene.connected()
    scene.live_through_a_day(told["connection_id"])
    await as_operator(scene, window)
    await expect(page.get_by_role("img", name="The last 24 hours")).to_be_visible()
    await page.get_by_text("As a table").click()
    await expect(page.get_by_role("row")).to_have_count(25)
    failed = await page.locator("tbody td:last-child").all_inner_texts()
    hours = (await scene.get("/pulse"))["hours"]
    assert sum(map(int, failed)) == sum(h["times"] for h in hours if h["verdict"] != "ok") > 0


async def test_hundreds_come_a_page_at_a_time(scene: Scene, window: Window) -> None:
    page = window.page
    await scene.connected()
    scene.place.script(COPIES % ",".join(map(str, range(249))))
    await as_operator(scene, window)
    more = page.get_by_role("button", name="Show more")
    for count in (100, 200):
        await expect(page.locator(ROWS)).to_have_count(count)
        await more.click()
    await expect(page.locator(ROWS)).to_have_count(250)
    await expect(more).to_be_hidden()


async def test_a_service_that_is_away_is_told_and_comes_back(scene: Scene, window: Window) -> None:
    page = window.page
    window.losing = True
    await as_operator(scene, window)
    await page.route("**/pulse", lambda route: route.abort())
    await page.evaluate(LOOK_AGAIN)
    await expect(page.get_by_text("Cannot reach the service")).to_be_visible()
    await page.unroute("**/pulse")
    await page.evaluate(LOOK_AGAIN)
    await expect(page.locator(".live")).to_have_text("Live")


async def test_a_session_that_ended_asks_for_the_key_again(scene: Scene, window: Window) -> None:
    window.expects(401)
    await as_operator(scene, window)
    scene.simulator.clock.turn(9 * 3600)
    await window.page.evaluate(LOOK_AGAIN)
    await expect(window.page.get_by_text("Your session has ended")).to_be_visible()
