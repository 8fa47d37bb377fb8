"""The states of /oauth/callback, and of the picker on it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from tests import houses
from tests.people import ANNA, NOW

from .scene import Scene, Window
from .states import BERT, choose, state


def part_of(address: str, name: str) -> str:
    return parse_qs(urlsplit(address).query)[name][0]


async def _problem(window: Window, address: str, code: str, *statuses: int) -> None:
    window.expects(*statuses)
    await window.page.goto(address)
    await expect(window.page.locator(f"[data-problem={code}]")).to_be_visible()


@state
async def callback_connecting(scene: Scene, window: Window) -> None:
    await scene.simulator.fault("/oauth2/access_token", "hang")
    await window.page.goto(await scene.callback())
    await expect(window.page.get_by_role("heading")).to_have_text("Connecting TikTok…")


@state
async def callback_done(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.callback(to="/connect"))
    await expect(window.page.locator("[data-state=done]")).to_be_visible()


@state
async def callback_done_with_others_to_choose_from(scene: Scene, window: Window) -> None:
    await choose(scene, await scene.connected(advertisers=5), 2)
    await window.page.goto(await scene.callback(advertisers=5))
    await expect(window.page.get_by_role("button", name="Choose another")).to_be_visible()


@state
async def picker_with_five(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.callback(advertisers=5))
    await expect(window.page.get_by_role("option")).to_have_count(5)


@state
async def picker_with_five_thousand(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.callback(advertisers=5_000))
    await window.page.get_by_role("combobox").fill("coffee")
    await window.page.get_by_role("option").nth(1).click()


@state
async def picker_with_no_match(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.callback(advertisers=50))
    await window.page.get_by_role("combobox").fill("zebra crossing")
    await expect(window.page.get_by_text("No ad account fits")).to_be_visible()


@state
async def callback_cancelled(scene: Scene, window: Window) -> None:
    await _problem(window, scene.back(state="s", error="access_denied"), "cancelled")


@state
async def callback_refused_by_tiktok(scene: Scene, window: Window) -> None:
    await _problem(window, scene.back(state="s", error="unauthorized_client"), "refused_there")


@state
async def callback_with_nothing(scene: Scene, window: Window) -> None:
    await _problem(window, scene.back(), "nothing")


@state
async def callback_too_late(scene: Scene, window: Window) -> None:
    address = await scene.callback()
    scene.simulator.clock.turn(61 * 60)
    await _problem(window, address, "state_expired", 410)


@state
async def callback_forged(scene: Scene, window: Window) -> None:
    address = scene.back(auth_code="anything", state=houses.unsigned_state(ANNA, NOW))
    await _problem(window, address, "invalid_state", 400)


@state
async def callback_with_a_spent_code(scene: Scene, window: Window) -> None:
    used = await scene.callback()
    await window.page.goto(used)
    await expect(window.page.locator("[data-state=done]")).to_be_visible()
    fresh = await scene.callback()
    mixed = scene.back(auth_code=part_of(used, "auth_code"), state=part_of(fresh, "state"))
    await _problem(window, mixed, "code_spent", 400)


@state
async def callback_of_somebody_else(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.link(BERT))
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await _problem(window, await scene.callback(), "wrong_user", 403)


@state
async def callback_without_ad_accounts(scene: Scene, window: Window) -> None:
    await _problem(window, await scene.callback(advertisers=[]), "no_advertisers", 422)


@state
async def callback_while_tiktok_is_down(scene: Scene, window: Window) -> None:
    await scene.simulator.fault("/oauth2/access_token", "status", 503, times=-1)
    await _problem(window, await scene.callback(), "tiktok_unreachable", 503)


@state
async def callback_while_tiktok_is_busy(scene: Scene, window: Window) -> None:
    await scene.simulator.fault("/oauth2/access_token", "code", 40100, times=-1)
    await _problem(window, await scene.callback(), "slow_down", 429)


@state
async def callback_while_the_store_is_away(scene: Scene, window: Window) -> None:
    address = await scene.callback()
    scene.without_store()
    await _problem(window, address, "store_unreachable", 503)


@state
async def callback_with_a_wrong_app(scene: Scene, window: Window) -> None:
    await scene.simulator.fault("/oauth2/access_token", "code", 40113)
    await _problem(window, await scene.callback(), "configuration", 502)
    await window.page.get_by_text("Details for support").click()


@state
async def callback_refused(scene: Scene, window: Window) -> None:
    await scene.simulator.fault("/oauth2/access_token", "code", 40002)
    await _problem(window, await scene.callback(), "tiktok_refused", 502)


@state
async def callback_offline(scene: Scene, window: Window) -> None:
    window.losing = True
    address = await scene.callback()
    await window.page.route("**/oauth/exchange", lambda route: route.abort())
    await window.page.add_init_script(
        "Object.defineProperty(navigator, 'onLine', {get: () => false})"
    )
    await _problem(window, address, "offline")


@state
async def callback_with_the_service_away(scene: Scene, window: Window) -> None:
    window.losing = True
    await window.page.route("**/oauth/exchange", lambda route: route.abort())
    await _problem(window, await scene.callback(), "unreachable")
