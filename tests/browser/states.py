"""The pages' states, and the way into each, through the real house and the real simulator."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from playwright.async_api import expect

from connector.model import UserId
from tests.houses import Json
from tests.people import ANNA, KEYS

from .scene import Scene, Window

BERT = UserId("0b2d6c1e-8f45-4a37-9c61-5d7e3a9f2b14")

State = Callable[[Scene, Window], Awaitable[None]]
STATES: list[State] = []


def state(way: State) -> State:
    STATES.append(way)
    return way


# /connect


@state
async def connect_without_a_link(scene: Scene, window: Window) -> None:
    window.expects(401)
    await window.page.goto(f"{scene.url}/connect")
    await expect(window.page.locator("[data-gate=none]")).to_be_visible()


@state
async def connect_with_an_old_link(scene: Scene, window: Window) -> None:
    window.expects(401)
    link = await scene.link()
    scene.simulator.clock.turn(31 * 60)
    await window.page.goto(link)
    await expect(window.page.locator("[data-gate=old]")).to_be_visible()


@state
async def connect_as_the_operator(scene: Scene, window: Window) -> None:
    await window.page.goto(f"{scene.url}/connect#ticket={KEYS[0]}")
    await expect(window.page.locator("[data-gate=server]")).to_be_visible()


@state
async def connect_with_nothing_connected(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.link())
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)


async def _cards(scene: Scene, window: Window) -> None:
    await window.page.goto(await scene.link())
    await expect(window.page.locator(".connection").first).to_be_visible()


@state
async def connect_connected(scene: Scene, window: Window) -> None:
    await scene.connected()
    await scene.connected(family="login_kit")
    scene.simulator.clock.turn(20 * 60)
    await window.set_time(scene)
    await _cards(scene, window)


@state
async def connect_with_a_choice_to_make(scene: Scene, window: Window) -> None:
    await scene.connected(advertisers=5)
    await _cards(scene, window)


@state
async def connect_in_trouble(scene: Scene, window: Window) -> None:
    """An ad account lost, a family TikTok does not answer for, and one it has taken back."""
    await lose_the_advertiser(scene)
    await fail_a_refresh(scene, await scene.connected(family="login_kit"))
    await withdraw(scene, await scene.connected(family="accounts"))
    await _cards(scene, window)
    await expect(window.page.locator("[data-part=trouble]:visible")).to_have_count(3)


@state
async def connect_asking_whether_to_disconnect(scene: Scene, window: Window) -> None:
    await scene.connected()
    await _cards(scene, window)
    await window.page.get_by_role("button", name="Disconnect").click()
    await expect(window.page.get_by_role("dialog")).to_be_visible()


@state
async def connect_choosing_another(scene: Scene, window: Window) -> None:
    await choose(scene, await scene.connected(advertisers=5), 2)
    await _cards(scene, window)
    await window.page.get_by_role("button", name="Choose another").click()
    await expect(window.page.get_by_role("dialog")).to_be_visible()


@state
async def connect_after_disconnecting(scene: Scene, window: Window) -> None:
    told = await scene.connected()
    await scene.call("DELETE", f"/connections/{told['connection_id']}")
    scene.simulator.clock.turn(90 * 60)
    await window.set_time(scene)
    await window.page.goto(await scene.link())
    await expect(window.page.locator("[data-part=past] time")).to_have_text(re.compile("1 hour"))


async def lose_the_advertiser(scene: Scene) -> None:
    told = await scene.connected()
    await scene.simulator.post("/_sim/advertisers", {"person": "robin", "advertisers": 0})
    await scene.simulator.post(
        "/_sim/advertisers",
        {"person": "robin", "advertisers": [{"id": "7000000000000000098", "name": "Velvet Surf"}]},
    )
    await scene.call("POST", f"/connections/{told['connection_id']}/refresh")


async def choose(scene: Scene, told: Json, at: int) -> None:
    chosen = {
        "connection_id": told["connection_id"],
        "advertiser_id": told["advertisers"][at]["id"],
        "user_id": ANNA,
    }
    await scene.call("POST", "/advertisers/select", chosen)


async def fail_a_refresh(scene: Scene, told: Json) -> None:
    await scene.simulator.fault("/v2/oauth/token", "status", 503)
    await scene.call("POST", f"/connections/{told['connection_id']}/refresh", status=503)


async def withdraw(scene: Scene, told: Json) -> None:
    token = (await scene.get(f"/connections/{told['connection_id']}/token"))["access_token"]
    await scene.simulator.post("/_sim/revoke", {"access_token": token})
    await scene.call("POST", f"/connections/{told['connection_id']}/refresh", status=409)
