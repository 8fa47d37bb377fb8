"""Page states of /oauth/callback, with and without the ad account picker."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from connector.model import UserId
from tests import running_service
from tests.credentials import ANNA, NOON_TIMESTAMP

from .harness import BERT, Harness, Window
from .page_states import page_state
from .steps import select_advertiser


def query_value(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]


async def _open_with_error(window: Window, url: str, code: str, *statuses: int) -> None:
    window.expect_statuses(*statuses)
    await window.page.goto(url)
    await expect(window.page.locator(f"[data-error={code}]")).to_be_visible()


@page_state
async def callback_connecting(harness: Harness, window: Window) -> None:
    await harness.simulator.fault("/oauth2/access_token", "hang")
    await window.page.goto(await harness.consent_callback_url())
    await expect(window.page.get_by_role("heading")).to_have_text("Connecting TikTok…")


@page_state
async def callback_asks_for_confirmation(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.callback_url_of_a_server())
    await expect(window.page.locator("[data-confirm]")).to_be_visible()


@page_state
async def callback_asks_for_confirmation_of_a_long_user_id(
    harness: Harness, window: Window
) -> None:
    user_id = UserId("<b>" + "user-id-of-the-customer/" * 5)
    body = {"user_id": user_id, "family": "login_kit"}
    state = (await harness.call("POST", "/oauth/start", body))["state"]
    await window.page.goto(harness.callback_url(code="c", state=state))
    await expect(window.page.get_by_role("heading")).to_contain_text(user_id)


@page_state
async def callback_after_a_refused_confirmation(harness: Harness, window: Window) -> None:
    await callback_asks_for_confirmation(harness, window)
    await window.page.get_by_role("button", name="Do not connect").click()
    await expect(window.page.locator("[data-error=not_confirmed]")).to_be_visible()


@page_state
async def callback_in_another_browser(harness: Harness, window: Window) -> None:
    url = await harness.consent_callback_url()
    await window.page.context.clear_cookies()
    await _open_with_error(window, url, "invalid_state", 400)


@page_state
async def callback_done(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.consent_callback_url(return_to="/connect"))
    await expect(window.page.locator("[data-result=done]")).to_be_visible()


@page_state
async def callback_done_with_other_ad_accounts(harness: Harness, window: Window) -> None:
    await select_advertiser(harness, await harness.connect(advertisers=5), 2)
    await window.page.goto(await harness.consent_callback_url(advertisers=5))
    await expect(window.page.get_by_role("button", name="Choose another")).to_be_visible()


@page_state
async def picker_with_five_ad_accounts(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.consent_callback_url(advertisers=5))
    await expect(window.page.get_by_role("option")).to_have_count(5)


@page_state
async def picker_with_5000_ad_accounts(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.consent_callback_url(advertisers=5_000))
    await window.page.get_by_role("combobox").fill("coffee")
    await window.page.get_by_role("option").nth(1).click()


@page_state
async def picker_without_a_match(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.consent_callback_url(advertisers=50))
    await window.page.get_by_role("combobox").fill("zebra crossing")
    await expect(window.page.get_by_text("No ad account matches")).to_be_visible()


@page_state
async def callback_after_cancel(harness: Harness, window: Window) -> None:
    url = harness.callback_url(state="s", error="access_denied")
    await _open_with_error(window, url, "cancelled")


@page_state
async def callback_without_a_code(harness: Harness, window: Window) -> None:
    state = query_value(await harness.consent_callback_url(family="accounts"), "state")
    await _open_with_error(window, harness.callback_url(state=state), "no_code")


@page_state
async def callback_with_a_consent_error(harness: Harness, window: Window) -> None:
    url = harness.callback_url(state="s", error="unauthorized_client")
    await _open_with_error(window, url, "consent_error")


@page_state
async def callback_without_parameters(harness: Harness, window: Window) -> None:
    await _open_with_error(window, harness.callback_url(), "no_callback")


@page_state
async def callback_with_an_expired_state(harness: Harness, window: Window) -> None:
    url = await harness.consent_callback_url()
    harness.simulator.clock.advance(61 * 60)
    await _open_with_error(window, url, "state_expired", 410)


@page_state
async def callback_with_an_unsigned_state(harness: Harness, window: Window) -> None:
    url = harness.callback_url(
        auth_code="anything", state=running_service.unsigned_state(ANNA, NOON_TIMESTAMP)
    )
    await _open_with_error(window, url, "invalid_state", 400)


@page_state
async def callback_with_a_used_code(harness: Harness, window: Window) -> None:
    first = await harness.consent_callback_url()
    await window.page.goto(first)
    await expect(window.page.locator("[data-result=done]")).to_be_visible()
    second = await harness.consent_callback_url()
    code, state = query_value(first, "auth_code"), query_value(second, "state")
    mixed = harness.callback_url(auth_code=code, state=state)
    await _open_with_error(window, mixed, "code_spent", 400)


@page_state
async def callback_for_another_person(harness: Harness, window: Window) -> None:
    await window.page.goto(await harness.connect_link(BERT))
    await expect(window.page.locator("[data-part=connect]")).to_have_count(3)
    await _open_with_error(window, await harness.consent_callback_url(), "wrong_user", 403)


@page_state
async def callback_without_ad_accounts(harness: Harness, window: Window) -> None:
    url = await harness.consent_callback_url(advertisers=[])
    await _open_with_error(window, url, "no_advertisers", 422)


@page_state
async def callback_while_tiktok_is_unreachable(harness: Harness, window: Window) -> None:
    await harness.simulator.fault("/oauth2/access_token", "status", 503, times=-1)
    await _open_with_error(window, await harness.consent_callback_url(), "tiktok_unreachable", 503)


@page_state
async def callback_while_tiktok_limits_the_rate(harness: Harness, window: Window) -> None:
    await harness.simulator.fault("/oauth2/access_token", "code", 40100, times=-1)
    await _open_with_error(window, await harness.consent_callback_url(), "slow_down", 429)


@page_state
async def callback_while_the_database_is_unreachable(harness: Harness, window: Window) -> None:
    url = await harness.consent_callback_url()
    harness.break_database()
    await _open_with_error(window, url, "store_unreachable", 503)


@page_state
async def callback_with_a_rejected_app(harness: Harness, window: Window) -> None:
    await harness.simulator.fault("/oauth2/access_token", "code", 40113)
    await _open_with_error(window, await harness.consent_callback_url(), "configuration", 502)
    await window.page.get_by_text("Details for support").click()


@page_state
async def callback_refused_by_tiktok(harness: Harness, window: Window) -> None:
    await harness.simulator.fault("/oauth2/access_token", "code", 40002)
    await _open_with_error(window, await harness.consent_callback_url(), "tiktok_refused", 502)


@page_state
async def callback_while_offline(harness: Harness, window: Window) -> None:
    window.expects_network_errors = True
    url = await harness.consent_callback_url()
    await window.page.route("**/oauth/exchange", lambda route: route.abort())
    await window.page.add_init_script(
        "Object.defineProperty(navigator, 'onLine', {get: () => false})"
    )
    await _open_with_error(window, url, "offline")


@page_state
async def callback_while_the_service_is_unreachable(harness: Harness, window: Window) -> None:
    window.expects_network_errors = True
    await window.page.route("**/oauth/exchange", lambda route: route.abort())
    await _open_with_error(window, await harness.consent_callback_url(), "unreachable")
