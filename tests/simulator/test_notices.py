"""Webhooks are signed over the raw body, and sent when a person withdraws or a post is done."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from connector.simulator.app import serving
from connector.simulator.notices import signature

from .conftest import KIT, Json, Tap

BODY = (
    b'{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
VECTOR = "39c29244091b6bb0d67eca735a97218805842b7c8cea52dde8296f6c0c36ae09"


@dataclass
class Customer:
    """Somebody who gets webhooks."""

    url: str = ""
    status: int = 200
    got: list[tuple[str, bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["TikTok-Signature"], await request.read()))
        return web.Response(status=self.status)

    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    someone = Customer()
    app = web.Application()
    app.router.add_post("/hook", someone.take)
    async with serving(app) as origin:
        someone.url = origin + "/hook"
        yield someone


def test_the_signature_is_the_documented_one() -> None:
    made = signature(BODY, secret="test_client_secret", at=1633174587)
    assert made == f"t=1633174587,s={VECTOR}"


async def test_a_withdrawal_is_told_with_the_apps_signature(tap: Tap, customer: Customer) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    tokens = await tap.kit()
    await tap.sim("revoke", open_id=tokens["open_id"])
    ((header, body),) = customer.got
    assert header == signature(body, secret=KIT.secret, at=int(tap.clock()))
    told = json.loads(body)
    assert told["event"] == "authorization.removed"
    assert (told["client_key"], told["user_openid"]) == (KIT.id, tokens["open_id"])
    assert json.loads(told["content"]) == {"reason": 1}


async def test_one_person_is_told_of_once_however_many_tokens_die(
    tap: Tap, customer: Customer
) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    tokens = [await tap.kit(), await tap.kit()]
    answer = await tap.sim("revoke", open_id=tokens[0]["open_id"])
    assert answer["revoked"] == 2
    assert [sent["status"] for sent in answer["webhooks"]] == [200]


async def test_an_ads_grant_is_withdrawn_in_silence(tap: Tap, customer: Customer) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    answer = await tap.sim("revoke", access_token=await tap.ads_token())
    assert answer == {"revoked": 1, "webhooks": []}


async def test_a_signature_follows_the_receivers_clock_and_not_the_offset(
    tap: Tap, customer: Customer
) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    tokens = await tap.kit()
    await tap.sim("clock", advance=86_400)
    await tap.sim("revoke", open_id=tokens["open_id"])
    assert customer.got[0][0].startswith(f"t={int(tap.clock())},")


async def test_the_apps_own_address_outranks_the_setting(tap: Tap, customer: Customer) -> None:
    await tap.sim("settings", webhook_url="http://127.0.0.1:9/nobody")
    await tap.sim("apps", id=KIT.id, secret=KIT.secret, webhook_url=customer.url)
    await tap.sim("revoke", open_id=(await tap.kit())["open_id"])
    assert len(customer.got) == 1


async def test_a_receiver_that_fails_is_counted(tap: Tap, customer: Customer) -> None:
    customer.status = 503
    await tap.sim("settings", webhook_url=customer.url)
    answer = await tap.sim("revoke", open_id=(await tap.kit())["open_id"])
    assert answer["webhooks"][0]["status"] == 503
    assert (await tap.stats())["webhooks_failed"] == 1


async def test_a_finished_post_is_told(tap: Tap, customer: Customer) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    token = (await tap.kit())["access_token"]
    body = {
        "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
        "source_info": {"source": "PULL_FROM_URL", "video_url": "https://v.example/1.mp4"},
    }
    await tap.open("POST", "/v2/post/publish/video/init/", token, json=body)
    await tap.sim("clock", advance=11)
    assert [told["event"] for told in customer.bodies()] == [
        "post.publish.complete",
        "post.publish.publicly_available",
    ]


async def test_any_notice_can_be_sent_by_hand(tap: Tap, customer: Customer) -> None:
    await tap.sim("settings", webhook_url=customer.url)
    await tap.sim(
        "notices", app=KIT.id, event="portability.download.ready", content={"request_id": 7}
    )
    (told,) = customer.bodies()
    assert "user_openid" not in told
    assert json.loads(told["content"]) == {"request_id": 7}
