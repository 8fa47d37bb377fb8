"""Page states of the operator's sections on /status: events and webhooks."""

from __future__ import annotations

from playwright.async_api import expect

from tests.events.receiver import Receiver
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP, Json
from tests.signed_webhooks import signature_of, webhook_body
from tiktok_simulator import App

from .harness import BERT, Harness, Window
from .page_states import page_state
from .status_states import open_as_operator

ENDPOINTS = ".endpoint[data-status]"
DELIVERIES = "section[aria-labelledby=deliveries-title]"
WEBHOOKS = "section[aria-labelledby=webhooks-title]"


async def three_endpoints(harness: Harness) -> list[tuple[Json, Receiver]]:
    """Returns one that works, one that fails and one that was disabled."""
    endpoints = [
        await harness.add_endpoint(
            description="Production", events=["connection.*", "endpoint.*", "tiktok.*"]
        ),
        await harness.add_endpoint(status=500, description="Data warehouse"),
        await harness.add_endpoint(status=410, events=["connection.connected"]),
    ]
    await harness.connect()
    await harness.deliver_events()
    harness.simulator.clock.advance(600)
    await harness.connect(family="login_kit", user_id=BERT)
    await harness.deliver_events()
    harness.simulator.clock.advance(140)
    return endpoints


async def receive_webhooks(harness: Harness) -> None:
    """Sends what TikTok sends while a person publishes and then disconnects the app, and two other webhooks."""
    await harness.connect(family="login_kit")
    person = str(harness.database.row("connections")["tiktok_user_id"])
    for event in ("post.publish.complete", "authorization.removed"):
        now = harness.simulator.clock.now()
        body = webhook_body(event, created_at=now, tiktok_user_id=person, reason=1)
        await _receive(harness, body, app=LOGIN_KIT_APP)
    now = harness.simulator.clock.now()
    await _receive(harness, b"not JSON", app=LOGIN_KIT_APP)
    body = webhook_body("post.publish.failed", created_at=now, app=BUSINESS_APP)
    await _receive(harness, body, app=BUSINESS_APP)


async def _receive(harness: Harness, body: bytes, *, app: App) -> None:
    signature = signature_of(body, signed_at=harness.simulator.clock.now(), secret=app.secret)
    url, headers = f"{harness.url}/webhooks/tiktok", {"TikTok-Signature": signature}
    async with harness.http.post(url, data=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    harness.simulator.clock.advance(700)


@page_state
async def status_with_endpoints(harness: Harness, window: Window) -> None:
    await three_endpoints(harness)
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    await expect(window.page.locator(ENDPOINTS)).to_have_count(3)


@page_state
async def status_with_webhooks(harness: Harness, window: Window) -> None:
    await receive_webhooks(harness)
    await window.sync_clock(harness)
    await open_as_operator(harness, window)
    await expect(window.page.locator(WEBHOOKS).get_by_role("listitem").first).to_be_visible()


@page_state
async def status_with_the_form_to_add_an_endpoint(harness: Harness, window: Window) -> None:
    await open_as_operator(harness, window)
    await window.page.get_by_role("button", name="Add endpoint").click()
    await expect(window.page.get_by_label("Address")).to_be_focused()


@page_state
async def status_with_the_secret_of_an_endpoint(harness: Harness, window: Window) -> None:
    await harness.add_endpoint(description="Production")
    await open_as_operator(harness, window)
    await window.page.get_by_role("button", name="Rotate secret").click()
    await window.page.get_by_role("dialog").get_by_role("button", name="Rotate secret").click()
    await expect(window.page.get_by_label("Secret", exact=True)).to_be_visible()


@page_state
async def status_with_the_question_whether_to_replay(harness: Harness, window: Window) -> None:
    await harness.add_endpoint(description="Production")
    await open_as_operator(harness, window)
    await window.page.get_by_role("button", name="Replay").click()
    await expect(window.page.get_by_role("dialog")).to_be_visible()
