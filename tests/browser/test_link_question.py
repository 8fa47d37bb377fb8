"""A link names its user, and does not replace the user of a browser without a question."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.credentials import ANNA, API_KEYS

from .harness import BERT, Harness, Window
from .link_states import (
    ANNAS_NAME,
    BERTS_NAME,
    QUESTION,
    connect_after_another_tab_has_changed_the_user,
    link_asks_before_it_changes_the_user,
    link_asks_before_it_replaces_the_operator,
    link_asks_before_it_signs_in_the_operator,
    sign_in_as_anna,
)
from .status_states import open_as_operator
from .test_status import ROWS

CARDS = "[data-part=connect]"


async def signed_in_user(harness: Harness, window: Window) -> str | None:
    """Asks the service with the cookies of the browser."""
    response = await window.page.context.request.get(f"{harness.url}/session")
    session: dict[str, str | None] = await response.json()
    return session["user_id"]


async def test_a_link_names_its_user_and_nothing_is_connected_before_a_button_is_pressed(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await page.goto(await harness.connect_link(BERT, display_name=BERTS_NAME))
    await expect(page.locator(CARDS)).to_have_count(3)
    await expect(page.get_by_role("definition")).to_have_text(f"{BERTS_NAME}{BERT}")
    await expect(page.locator("main")).to_contain_text("Connect only if this is you")
    await expect(page).to_have_url(f"{harness.url}/connect")
    assert (await harness.get("/connections"))["connections"] == []


async def test_a_link_for_a_user_without_a_name_shows_the_user_id(
    harness: Harness, window: Window
) -> None:
    await window.page.goto(await harness.connect_link(BERT))
    await expect(window.page.get_by_role("definition")).to_have_text(BERT)


async def test_a_reload_asks_again(harness: Harness, window: Window) -> None:
    await link_asks_before_it_changes_the_user(harness, window)
    await window.page.reload()
    await expect(window.page.locator(QUESTION)).to_be_visible()
    await expect(window.page).to_have_url(f"{harness.url}/connect")
    assert await signed_in_user(harness, window) == ANNA


async def test_a_link_for_another_user_shows_both_users_and_asks(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await link_asks_before_it_changes_the_user(harness, window)
    owners = [f"{ANNAS_NAME}{ANNA}", f"{BERTS_NAME}{BERT}"]
    await expect(page.get_by_role("definition")).to_have_text(owners)
    assert await signed_in_user(harness, window) == ANNA
    await page.get_by_role("button", name="Stay signed in as before").click()
    await expect(page.get_by_role("definition")).to_have_text(owners[0])
    assert await signed_in_user(harness, window) == ANNA
    await page.goto(await harness.connect_link(BERT, display_name=BERTS_NAME))
    await page.get_by_role("button", name="Change the user").click()
    await expect(page.get_by_role("definition")).to_have_text(owners[1])
    assert await signed_in_user(harness, window) == BERT


async def test_a_refused_link_does_not_change_where_the_person_returns_to(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await sign_in_as_anna(harness, window)
    await page.goto(await harness.connect_link(BERT, return_to="/docs"))
    await page.get_by_role("button", name="Stay signed in as before").click()
    async with page.expect_request("**/oauth/start") as started:
        await page.get_by_role("button", name="Connect TikTok profile").click()
    body = (await started.value).post_data_json
    assert body == {"family": "login_kit", "return_to": "/connect", "user_id": ANNA}


async def test_a_link_of_the_signed_in_user_asks_nothing(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)
    await window.page.goto("about:blank")
    await window.page.goto(await harness.connect_link(display_name=ANNAS_NAME))
    await expect(window.page.locator(CARDS)).to_have_count(3)


async def test_the_page_always_shows_for_whom_it_connects(harness: Harness, window: Window) -> None:
    await sign_in_as_anna(harness, window)
    user = window.page.get_by_role("definition")
    await expect(user).to_have_text(f"{ANNAS_NAME}{ANNA}")
    await window.page.reload()
    await expect(user).to_have_text(f"{ANNAS_NAME}{ANNA}")


async def test_a_page_never_connects_for_another_user_than_it_shows(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await connect_after_another_tab_has_changed_the_user(harness, window)
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("definition")).to_have_text(f"{BERTS_NAME}{BERT}")


async def test_a_persons_link_does_not_replace_the_operator_unasked(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await harness.connect()
    await harness.connect(user_id=BERT)
    await link_asks_before_it_replaces_the_operator(harness, window)
    await expect(page.get_by_role("definition").first).to_have_text("The operator of this service")
    await page.get_by_role("button", name="Stay signed in as before").click()
    await expect(page.locator(ROWS)).to_have_count(2)


async def test_the_operators_page_does_not_poll_while_it_asks(
    harness: Harness, window: Window
) -> None:
    await link_asks_before_it_replaces_the_operator(harness, window)
    paths: list[str] = []
    window.page.on("request", lambda request: paths.append(request.url))
    await window.page.evaluate("dispatchEvent(new Event('online'))")
    await window.page.get_by_role("button", name="Change the user").click()
    await expect(window.page.locator(".live")).to_have_text("Live")
    assert paths[0].endswith("/session")


async def test_the_operators_key_does_not_replace_a_person_unasked(
    harness: Harness, window: Window
) -> None:
    page = window.page
    await link_asks_before_it_signs_in_the_operator(harness, window)
    await expect(page.get_by_role("heading", name="Sign in as the operator?")).to_be_focused()
    await page.get_by_role("button", name="Change the user").click()
    await expect(page.locator(".live")).to_have_text("Live")
    await expect(page.get_by_label("Search")).to_be_visible()


async def test_an_operator_without_a_session_is_signed_in_at_once(
    harness: Harness, window: Window
) -> None:
    await open_as_operator(harness, window)


@pytest.mark.parametrize("path", ["/connect", "/status"])
async def test_an_api_key_leaves_the_address_and_the_page(
    harness: Harness, window: Window, path: str
) -> None:
    await window.page.goto(f"{harness.url}{path}#ticket={API_KEYS[0]}")
    await expect(window.page.get_by_role("heading", level=1)).to_be_focused()
    await expect(window.page).to_have_url(harness.url + path)
    assert await window.page.evaluate("history.state") is None


async def test_no_address_that_is_sent_and_no_log_line_has_the_ticket_or_the_name(
    harness: Harness, window: Window, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    page = window.page
    sent: list[str] = []

    def record(request: Any) -> None:
        sent.append(request.url)
        sent.append(request.headers.get("referer", ""))

    page.context.on("request", record)
    ticket = await harness.create_ticket(display_name=ANNAS_NAME)
    await window.page.goto(ticket["url"])
    await page.get_by_role("button", name="Connect TikTok profile").click()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.locator("[data-result=done]")).to_be_visible()
    texts = [*sent, *(record.getMessage() for record in caplog.records)]
    assert f"{harness.url}/oauth/exchange" in sent
    assert caplog.records
    assert [text for text in texts if ticket["ticket"] in text or "Schmidt" in text] == []
