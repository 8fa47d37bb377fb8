"""TikTok's webhooks over HTTP: who is refused, what a webhook changes, and what an operator sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.model import format_utc
from tests.manual_clock import NOON
from tests.running_service import AS_SERVER, BUSINESS_APP, LOGIN_KIT_APP
from tests.signed_webhooks import signature_of, webhook_body

from .conftest import Harness, Response
from .test_errors import assert_error
from .test_health import metric_value, metrics_text

ADDRESS = "/webhooks/tiktok"
LIMIT = 64 * 1024


async def send(
    harness: Harness, body: bytes, *, secret: str = LOGIN_KIT_APP.secret, data: Any = None
) -> Response:
    signed_at = harness.simulator.clock.now()
    headers = {"TikTok-Signature": signature_of(body, signed_at=signed_at, secret=secret)}
    return await harness.call("POST", ADDRESS, headers=headers, data=body if data is None else data)


async def connect_login_kit(harness: Harness, **consent: Any) -> tuple[str, str]:
    """Returns the ids of the connection and of its TikTok user."""
    id = (await harness.connect(family="login_kit", **consent))["connection_id"]
    connection = (await harness.get(f"/connections/{id}", AS_SERVER)).json
    return id, connection["tiktok_user_id"]


async def test_a_removed_authorization_ends_the_connection_and_says_why(
    each_store: Harness,
) -> None:
    harness = each_store
    id, tiktok_user_id = await connect_login_kit(harness)
    now = harness.simulator.clock.now()
    response = await send(
        harness, webhook_body(created_at=now, tiktok_user_id=tiktok_user_id, reason=1)
    )
    assert (response.status, response.json) == (200, {})
    connection = (await harness.get(f"/connections/{id}", AS_SERVER)).json
    assert connection["status"] == "reconnect_required"
    assert connection["failure"]["code"] == "authorization_removed"
    assert connection["failure"]["message"] == "The person disconnected the app in TikTok."
    token = await harness.get(f"/connections/{id}/token", AS_SERVER)
    assert_error(token, 409, "reconnect_required")


async def test_a_server_sees_the_last_webhooks_and_when_each_app_got_its_last_one(
    each_store: Harness,
) -> None:
    harness, now = each_store, each_store.simulator.clock.now()
    await send(harness, webhook_body("comment.update", created_at=now, tiktok_user_id="t-1", n=1))
    harness.simulator.clock.advance(60)
    await send(harness, b"not JSON", secret=BUSINESS_APP.secret)
    later = harness.simulator.clock.now()
    assert (await harness.get("/webhooks", AS_SERVER)).json == {
        "url": f"{harness.service.settings.public_url}/webhooks/tiktok",
        "webhooks": [
            {
                "event": "",
                "app": BUSINESS_APP.id,
                "tiktok_user_id": None,
                "outcome": "unreadable",
                "created_at": None,
                "received_at": _json_time(later),
            },
            {
                "event": "comment.update",
                "app": LOGIN_KIT_APP.id,
                "tiktok_user_id": "t-1",
                "outcome": "stored",
                "created_at": _json_time(now),
                "received_at": _json_time(now),
            },
        ],
        "apps": [
            {"app": BUSINESS_APP.id, "last_webhook_at": _json_time(later)},
            {"app": LOGIN_KIT_APP.id, "last_webhook_at": _json_time(now)},
        ],
    }


def _json_time(time: Any) -> str:
    return str(format_utc(time))


async def test_a_user_may_not_list_webhooks(harness: Harness) -> None:
    assert_error(await harness.get("/webhooks", harness.as_user()), 403, "forbidden")


async def test_a_signed_body_that_is_not_json_is_stored_once_as_unreadable(
    harness: Harness,
) -> None:
    for _ in range(2):
        assert (await send(harness, b"not JSON")).status == 200
    [webhook] = (await harness.get("/webhooks", AS_SERVER)).json["webhooks"]
    assert (webhook["event"], webhook["outcome"]) == ("", "unreadable")


async def test_an_event_of_a_retired_api_changes_no_connection(harness: Harness) -> None:
    id, tiktok_user_id = await connect_login_kit(harness)
    body = webhook_body(
        "video.upload.failed", created_at=NOON, tiktok_user_id=tiktok_user_id, share_id="video.1"
    )
    assert (await send(harness, body)).status == 200
    assert (await harness.get(f"/connections/{id}", AS_SERVER)).json["status"] == "active"


@pytest.mark.parametrize(
    "headers",
    [{}, {"TikTok-Signature": "t=1,s=2"}, AS_SERVER, {"TikTok-Signature": ""}],
    ids=["none", "wrong", "an API key", "empty"],
)
async def test_a_webhook_without_tiktoks_signature_is_refused_and_counted(
    harness: Harness, headers: dict[str, str]
) -> None:
    response = await harness.call(
        "POST", ADDRESS, headers=headers, data=webhook_body(created_at=NOON)
    )
    assert_error(response, 401, "unauthenticated")
    listed = (await harness.get("/webhooks", AS_SERVER)).json
    assert (listed["webhooks"], listed["apps"]) == ([], [])
    assert await _count(harness, "other", "refused") == 1


async def test_a_webhook_that_is_signed_with_the_secret_of_the_other_app_is_refused(
    harness: Harness,
) -> None:
    response = await send(harness, webhook_body(created_at=NOON), secret=BUSINESS_APP.secret)
    assert_error(response, 401, "unauthenticated")


async def test_two_signature_headers_are_read_as_one(harness: Harness) -> None:
    body = webhook_body(created_at=NOON)
    timestamp, signature = signature_of(body, signed_at=NOON).split(",")
    headers = [("tiktok-signature", timestamp), ("tiktok-signature", signature)]
    async with harness.http.post(harness.url + ADDRESS, headers=headers, data=body) as response:
        assert response.status == 200


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 5_000):
        yield body[start : start + 5_000]


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_body_of_64_kib_is_accepted_and_a_byte_more_is_refused_and_counted(
    harness: Harness, is_chunked: bool
) -> None:
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        body = b" " * size
        response = await send(harness, body, data=_chunks(body) if is_chunked else body)
        assert response.status == status
    assert await _count(harness, "other", "refused") == 1


async def test_webhooks_are_counted_by_event_and_outcome(harness: Harness) -> None:
    body = webhook_body("comment.update", created_at=NOON)
    for data in (body, body, webhook_body("an.event.of.2030", created_at=NOON)):
        await send(harness, data)
    assert await _count(harness, "comment.update", "stored") == 1
    assert await _count(harness, "comment.update", "duplicate") == 1
    assert await _count(harness, "other", "stored") == 1
    text, name = await metrics_text(harness), "connector_last_webhook_timestamp_seconds"
    assert metric_value(text, name, app=LOGIN_KIT_APP.id) == NOON.timestamp()


async def _count(harness: Harness, event: str, outcome: str) -> float:
    text = await metrics_text(harness)
    return metric_value(text, "connector_webhooks_total", event=event, outcome=outcome)
