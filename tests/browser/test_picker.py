"""The picker: any number of ad accounts, any names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from .scene import Scene, Window

NAMED = [
    {"id": "7000000000000000001", "name": "Café Zürich"},
    {"id": "9007199254740993", "name": "Number beyond 2^53"},
    {"id": "7000000000000000003", "name": "<img src=x onerror=alert(1)>"},
    *({"id": f"71{n:017}", "name": f"Shop {n}"} for n in range(8)),
]
TYPED = """async () => {
  const search = document.querySelector("#picker-search");
  const took = [];
  for (const word of ["c", "co", "cof", "coff", "coffe", "coffee", ""]) {
    const began = performance.now();
    search.value = word;
    search.dispatchEvent(new Event("input"));
    document.querySelector(".options").getBoundingClientRect();
    took.push(performance.now() - began);
  }
  return Math.max(...took);
}"""


@pytest.fixture
async def page(scene: Scene, window: Window) -> Page:
    await window.page.goto(await scene.callback(advertisers=NAMED))
    await expect(window.page.get_by_role("option").first).to_be_visible()
    return window.page


async def test_five_thousand_are_as_quick_as_five(
    scene: Scene, window: Window, record_property: Callable[[str, object], None]
) -> None:
    page = window.page
    await page.goto(await scene.callback(advertisers=5_000))
    search = page.get_by_role("combobox")
    await search.press("End")
    last = page.get_by_role("option").last
    await expect(last).to_have_attribute("aria-posinset", "5000")
    await expect(last).to_be_in_viewport()
    assert await page.get_by_role("option").count() < 40
    slowest = await page.evaluate(TYPED)
    record_property("slowest_key_ms", slowest)
    assert slowest < 200


async def test_search_forgives_case_and_accents(page: Page) -> None:
    await page.get_by_role("combobox").fill("cafe zur")
    await expect(page.get_by_role("option")).to_have_count(1)
    await expect(page.get_by_text("1 of 11 fits")).to_be_visible()


async def test_search_finds_part_of_an_id(page: Page) -> None:
    await page.get_by_role("combobox").fill("0993")
    await expect(page.get_by_role("option")).to_contain_text("9007199254740993")


async def test_a_name_is_never_markup(page: Page) -> None:
    await expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert await page.locator(".options img").count() == 0


async def test_an_id_beyond_the_numbers_of_javascript_arrives_whole(
    scene: Scene, page: Page
) -> None:
    await page.get_by_role("combobox").fill("beyond")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-state=done]")).to_be_visible()
    assert scene.place.row("user_accounts")["tiktok_business_id"] == "9007199254740993"


async def test_arrows_move_and_the_active_one_is_told(page: Page) -> None:
    search = page.get_by_role("combobox")
    await search.press("ArrowDown")
    await search.press("ArrowDown")
    await search.press("ArrowUp")
    active = await search.get_attribute("aria-activedescendant")
    await expect(page.locator(f"#{active}")).to_contain_text("Number beyond")
    assert await page.get_by_role("option", selected=True).count() == 0


async def test_a_search_without_a_match_offers_to_clear_it(page: Page) -> None:
    await page.get_by_role("combobox").fill("zebra")
    await page.get_by_role("button", name="Clear the search").click()
    await expect(page.get_by_role("combobox")).to_be_focused()
    await expect(page.get_by_text("11 ad accounts", exact=True)).to_be_visible()


async def test_nothing_can_be_confirmed_before_it_is_chosen(page: Page) -> None:
    await expect(page.get_by_role("button", name="Use this ad account")).to_be_disabled()


async def test_a_choice_gone_from_the_list_in_the_meantime_brings_the_new_list(
    scene: Scene, window: Window, page: Page
) -> None:
    window.expects(422)
    scene.place.script(
        "update connections set accounts = json_array("
        'json(\'{"id": "1", "name": "Only one left", "kind": "advertiser"}\'))'
    )
    await page.get_by_role("option").first.click()
    await page.get_by_role("button", name="Use this ad account").click()
    await expect(page.get_by_role("option", name="Only one left")).to_be_visible()
