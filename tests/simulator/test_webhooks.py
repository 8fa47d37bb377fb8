"""Webhooks are signed over the raw body. A disconnect and a finished post send one."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tiktok_simulator import serve_application
from tiktok_simulator.webhooks import signature

from .conftest import LOGIN_KIT_APP, Client, Json

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
    webhooks: list[tuple[str, bytes]] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.webhooks.append((request.headers["TikTok-Signature"], await request.read()))
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


async def test_a_disconnect_of_several_grants_sends_one_webhook_per_person(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    tokens = [await client.login_kit_tokens(), await client.login_kit_tokens()]
    response = await client.control("revoke", open_id=tokens[0]["open_id"])
    assert response["revoked"] == 2
    assert [webhook["status"] for webhook in response["webhooks"]] == [200]


async def test_a_disconnect_of_a_marketing_grant_sends_no_webhook(
    client: Client, receiver: Receiver
) -> None:
    await client.control("settings", webhook_url=receiver.url)
    response = await client.control("revoke", access_token=await client.marketing_token())
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
    await client.control(
        "apps", id=LOGIN_KIT_APP.id, secret=LOGIN_KIT_APP.secret, webhook_url=receiver.url
    )
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
