"""Webhooks are signed over the raw body. A disconnect and a finished post send one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tiktok_simulator import serve_application, webhooks
from tiktok_simulator.webhooks import signature

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, Client, Json

BODY = (
    b'{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
SIGNATURE = "39c29244091b6bb0d67eca735a97218805842b7c8cea52dde8296f6c0c36ae09"


@dataclass
class Receiver:
    """A customer's server, which receives webhooks."""

    url: str = ""
    status: int = 200
    failures: int = 0
    """So many requests get status 503 first."""

    on_failure: Callable[[], None] = lambda: None

    webhooks: list[tuple[str, bytes]] = field(default_factory=list)
    received: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        self.webhooks.append((request.headers["TikTok-Signature"], await request.read()))
        self.received.set()
        if len(self.webhooks) <= self.failures:
            self.on_failure()
            return web.Response(status=503)
        self.accepted.set()
        return web.Response(status=self.status)

    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, body in self.webhooks]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    async with serve_application(app) as origin:
        receiver.url = origin + "/hook"
        yield receiver


def _login_kit_app(receiver: Receiver) -> Json:
    """The registration with the receiver's URL. Webhooks are sent in the background, too."""
    app = LOGIN_KIT_APP
    return {
        "id": app.id,
        "secret": app.secret,
        "family": app.family,
        "webhook_url": receiver.url,
    }


def test_the_signature_matches_the_documented_example() -> None:
    header = signature(BODY, secret="test_client_secret", timestamp=1633174587)
    assert header == f"t=1633174587,s={SIGNATURE}"


async def test_a_disconnect_sends_a_webhook_signed_with_the_apps_secret(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    tokens = await client.login_kit_tokens()
    await client.control("revoke", open_id=tokens["open_id"])
    ((header, body),) = receiver.webhooks
    assert header == signature(body, secret=LOGIN_KIT_APP.secret, timestamp=int(client.clock()))
    webhook = json.loads(body)
    assert webhook["event"] == "authorization.removed"
    assert (webhook["client_key"], webhook["user_openid"]) == (LOGIN_KIT_APP.id, tokens["open_id"])
    assert json.loads(webhook["content"]) == {"reason": 1}


async def test_a_revocation_by_the_developer_ends_every_grant_and_sends_one_webhook_with_reason_5(
    client: Client, receiver: Receiver
) -> None:
    await client.control("apps", **_login_kit_app(receiver))
    first, second = await client.login_kit_tokens(), await client.login_kit_tokens()
    fields = {"client_key": LOGIN_KIT_APP.id, "client_secret": LOGIN_KIT_APP.secret}
    for tokens in (first, second):
        await client.request(
            "POST", "/v2/oauth/revoke/", data={**fields, "token": tokens["access_token"]}
        )
    await asyncio.wait_for(receiver.received.wait(), timeout=5)
    assert (await client.refresh_login_kit(second["refresh_token"]))["error"] == "invalid_grant"
    (webhook,) = receiver.bodies()
    assert json.loads(webhook["content"]) == {"reason": 5}
    assert (await client.stats())["revoked"] == 2


async def test_the_reason_of_a_disconnect_can_be_chosen(client: Client, receiver: Receiver) -> None:
    await client.control("settings", webhook_url=receiver.url)
    await client.control("revoke", open_id=(await client.login_kit_tokens())["open_id"], reason=4)
    (webhook,) = receiver.bodies()
    assert json.loads(webhook["content"]) == {"reason": 4}


async def test_a_disconnect_of_several_grants_sends_one_webhook_per_person(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    tokens = [await client.login_kit_tokens(), await client.login_kit_tokens()]
    response = await client.control("revoke", open_id=tokens[0]["open_id"])
    assert response["revoked"] == 2
    assert [webhook["status"] for webhook in response["webhooks"]] == [200]


async def test_a_disconnect_of_a_marketing_or_accounts_grant_sends_no_webhook(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    accounts_token = (await client.accounts_tokens())["access_token"]
    for token in (await client.marketing_token(), accounts_token):
        response = await client.control("revoke", access_token=token)
        assert response == {"revoked": 1, "webhooks": []}


async def test_the_signature_time_does_not_include_the_clock_offset(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    tokens = await client.login_kit_tokens()
    await client.control("clock", advance=86_400)
    await client.control("revoke", open_id=tokens["open_id"])
    assert receiver.webhooks[0][0].startswith(f"t={int(client.clock())},")


async def test_the_apps_webhook_url_has_priority_over_the_setting(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url="http://127.0.0.1:9/nobody")
    await client.control("apps", **_login_kit_app(receiver))
    await client.control("revoke", open_id=(await client.login_kit_tokens())["open_id"])
    assert len(receiver.webhooks) == 1


async def test_a_webhook_that_the_receiver_rejects_is_counted_as_failed(
    client: Client, receiver: Receiver
) -> None:
    receiver.status = 503
    await client.control("settings", webhook_url=receiver.url)
    response = await client.control("revoke", open_id=(await client.login_kit_tokens())["open_id"])
    assert response["webhooks"][0]["status"] == 503
    assert (await client.stats())["webhooks_failed"] == 1


async def test_a_finished_post_sends_its_webhooks(client: Client, receiver: Receiver) -> None:
    await client.control("settings", webhook_url=receiver.url)
    token = (await client.login_kit_tokens())["access_token"]
    body = {
        "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
        "source_info": {"source": "PULL_FROM_URL", "video_url": "https://v.example/1.mp4"},
    }
    await client.call_open_api("POST", "/v2/post/publish/video/init/", token, json=body)
    await client.control("clock", advance=11)
    assert [body["event"] for body in receiver.bodies()] == [
        "post.publish.complete",
        "post.publish.publicly_available",
    ]
    contents = [json.loads(body["content"]) for body in receiver.bodies()]
    assert {content["publish_type"] for content in contents} == {"DIRECT_PUBLISH"}


async def test_a_finished_draft_is_reported_to_login_kit_and_not_to_accounts(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    login_kit, accounts = await client.login_kit_tokens(), await client.accounts_tokens()
    source = {"source_info": {"source": "PULL_FROM_URL", "video_url": "https://v.example/1.mp4"}}
    inbox = "/v2/post/publish/inbox/video/init/"
    await client.call_open_api("POST", inbox, login_kit["access_token"], json=source)
    await client.post(
        "/open_api/v1.3/business/video/publish/",
        token=accounts["access_token"],
        business_id=accounts["open_id"],
        video_url="https://v.example/1.mp4",
        post_info={"upload_to_draft": True},
    )
    await client.control("clock", advance=11)
    (webhook,) = receiver.bodies()
    assert webhook["event"] == "post.publish.inbox_delivered"
    assert json.loads(webhook["content"])["publish_type"] == "INBOX_SHARE"


async def test_a_video_event_is_sent_to_the_url_of_the_event_type_video(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url="http://127.0.0.1:9/nobody")
    await client.post(
        "/open_api/v1.3/business/webhook/update/",
        app_id=BUSINESS_APP.id,
        secret=BUSINESS_APP.secret,
        event_type="VIDEO",
        callback_url=receiver.url,
    )
    await client.control("webhooks", app=BUSINESS_APP.id, event="post.publish.complete")
    assert len(receiver.webhooks) == 1


async def test_the_control_api_can_send_any_webhook(client: Client, receiver: Receiver) -> None:
    await client.control("settings", webhook_url=receiver.url)
    await client.control(
        "webhooks",
        app=LOGIN_KIT_APP.id,
        event="portability.download.ready",
        content={"request_id": 7},
    )
    (webhook,) = receiver.bodies()
    assert "user_openid" not in webhook
    assert json.loads(webhook["content"]) == {"request_id": 7}


async def test_the_control_api_can_choose_when_a_webhook_was_created_and_signed(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    await client.control(
        "webhooks", app=LOGIN_KIT_APP.id, create_time=1_700_000_000, signed_at=1_700_000_071
    )
    ((header, body),) = receiver.webhooks
    assert header == signature(body, secret=LOGIN_KIT_APP.secret, timestamp=1_700_000_071)
    assert json.loads(body)["create_time"] == 1_700_000_000


async def test_a_webhook_about_a_person_needs_no_app_and_its_further_fields_are_content(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    open_id = (await client.login_kit_tokens())["open_id"]
    await client.control("webhooks", open_id=open_id, reason=5)
    await client.control("webhooks", open_id=open_id)
    first, second = receiver.bodies()
    assert (first["client_key"], first["user_openid"]) == (LOGIN_KIT_APP.id, open_id)
    assert json.loads(first["content"]) == {"reason": 5}
    assert json.loads(second["content"]) == {"reason": 1}


async def test_a_time_without_a_time_zone_is_refused(client: Client) -> None:
    body = {"app": LOGIN_KIT_APP.id, "signed_at": "2026-11-28T10:00:00"}
    response, _ = await client.request("POST", "/_sim/webhooks", json=body)
    assert response.status == 400


@pytest.mark.parametrize(
    ("resign", "signed_at", "signature_times"),
    [
        (True, None, ["t=1795000000", "t=1795000007"]),
        (False, None, ["t=1795000000", "t=1795000000"]),
        (True, 1_700_000_000, ["t=1700000000", "t=1700000000"]),
    ],
)
async def test_a_repetition_is_signed_anew_unless_the_setting_or_a_chosen_time_says_otherwise(
    client: Client,
    receiver: Receiver,
    resign: bool,
    signed_at: int | None,
    signature_times: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "RETRY_DELAYS_SECONDS", (0,))
    await client.control("settings", webhook_url=receiver.url, resign=resign)
    receiver.failures, receiver.on_failure = 1, lambda: client.clock.advance(7)
    await client.control("webhooks", app=LOGIN_KIT_APP.id, signed_at=signed_at)
    await asyncio.wait_for(receiver.accepted.wait(), timeout=10)
    assert [header.partition(",")[0] for header, _ in receiver.webhooks] == signature_times
    first, second = (body for _, body in receiver.webhooks)
    assert first == second


async def test_a_webhook_is_repeated_until_the_receiver_accepts_it(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "RETRY_DELAYS_SECONDS", (0, 0, 0))
    await client.control("settings", webhook_url=receiver.url)
    receiver.failures = 2
    await client.control("webhooks", app=LOGIN_KIT_APP.id)
    await asyncio.wait_for(receiver.accepted.wait(), timeout=10)
    assert len(receiver.webhooks) == 3
    assert (await client.stats())["webhooks_failed"] == 2
