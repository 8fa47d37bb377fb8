"""The states of /status."""

from __future__ import annotations

from playwright.async_api import expect

from tests.people import KEYS

from .scene import Scene, Window
from .states import BERT, fail_a_refresh, lose_the_advertiser, state, withdraw


@state
async def status_asking_for_a_key(scene: Scene, window: Window) -> None:
    window.expects(401)
    await window.page.goto(f"{scene.url}/status")
    await expect(window.page.get_by_label("Server key")).to_be_focused()


@state
async def status_with_a_wrong_key(scene: Scene, window: Window) -> None:
    await status_asking_for_a_key(scene, window)
    await window.page.get_by_label("Server key").fill("a-wrong-key")
    await window.page.keyboard.press("Enter")
    await expect(window.page.get_by_text("This key is not known here.")).to_be_visible()


async def as_operator(scene: Scene, window: Window) -> None:
    await window.page.goto(f"{scene.url}/status#ticket={KEYS[0]}")
    await expect(window.page.locator(".live")).to_have_text("Live")


@state
async def status_with_nothing_connected(scene: Scene, window: Window) -> None:
    await as_operator(scene, window)
    await expect(window.page.get_by_text("Nothing is connected yet")).to_be_visible()


@state
async def status_with_all_well(scene: Scene, window: Window) -> None:
    for family in ("marketing", "accounts", "login_kit"):
        await scene.connected(family=family)
        scene.simulator.clock.turn(15 * 60)
    await window.set_time(scene)
    await as_operator(scene, window)
    await expect(window.page.get_by_text("All is well")).to_be_visible()
    await expect(window.page.get_by_role("heading", name="Robin Taylor")).to_have_count(2)


@state
async def status_in_trouble(scene: Scene, window: Window) -> None:
    """A day of it, with the attempts of one connection open."""
    told = await scene.connected(family="login_kit", user_id=BERT)
    scene.live_through_a_day(told["connection_id"])
    await lose_the_advertiser(scene)
    await fail_a_refresh(scene, told)
    await withdraw(scene, await scene.connected(family="accounts"))
    await window.set_time(scene)
    await as_operator(scene, window)
    await window.page.locator(".row[data-status=refresh_failing] summary").click()
    await expect(window.page.locator(".attempts li").first).to_be_visible()


@state
async def status_as_a_person(scene: Scene, window: Window) -> None:
    await scene.connected()
    await scene.connected(user_id=BERT)
    ticket = (await scene.ticket())["ticket"]
    await window.page.goto(f"{scene.url}/status#ticket={ticket}")
    await expect(window.page.locator(".row[data-status]")).to_have_count(1)
