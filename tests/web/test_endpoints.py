"""Servers create, change, test and replay endpoints, and no secret appears twice."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from connector.events import CONFIGURED_ENDPOINT_ID
from tests.credentials import KEY_NAMES
from tests.database_views import sqlite_view
from tests.events.receiver import Receiver, running_receiver
from tests.running_service import AS_SERVER

from .conftest import Harness, StartService
from .events_harness import LOOPBACK, change, create_endpoint, number_events, read

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
UNKNOWN_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def harness(start_service: StartService) -> Harness:
    return await start_service(**LOOPBACK)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


async def test_a_new_endpoint_gets_connection_events_and_its_secret_is_returned_once(
    harness: Harness, receiver: Receiver
) -> None:
    created = await create_endpoint(harness, receiver.url, description="The shop")
    assert created.pop("secret").startswith("whsec_")
    assert created == {
        "id": created["id"],
        "url": receiver.url,
        "events": ["connection.*"],
        "description": "The shop",
        "state": "enabled",
        "disabled_reason": None,
        "from_settings": False,
        "failing_since": None,
        "failures": 0,
        "last_success_at": None,
        "created_at": "2026-11-20T12:00:00.000000+00:00",
        "updated_at": "2026-11-20T12:00:00.000000+00:00",
        "pending": 0,
        "delivered_24h": 0,
        "failed_24h": 0,
    }
    assert await read(harness, "/endpoints") == {"endpoints": [created]}
    assert await read(harness, f"/endpoints/{created['id']}") == created


async def test_no_read_log_audit_or_database_contains_a_secret(
    harness: Harness, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    created = await create_endpoint(harness, receiver.url)
    path = f"/endpoints/{created['id']}"
    rotated = (await change(harness, "POST", f"{path}/secret")).json
    await harness.connect()
    await number_events(harness)
    await receiver.until_received(1)
    texts = [
        (await change(harness, "PATCH", path, description="x")).text,
        (await change(harness, "POST", f"{path}/test")).text,
        caplog.text,
        repr(harness.service),
    ]
    await harness.service.audit.write()
    for read_path in ("/endpoints", path, f"{path}/deliveries", "/deliveries", "/events", "/audit"):
        texts.append((await harness.get(read_path, AS_SERVER)).text)
    texts.append((await harness.get("/metrics", AS_SERVER)).text)
    texts.append(sqlite_view(harness.service.settings.database).dump())
    for secret in (created["secret"], rotated["secret"]):
        assert [text for text in texts if secret.removeprefix("whsec_") in text] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/endpoints", {"url": "https://example.com", "event": ["connection.*"]}),
        ("PATCH", "/endpoints/{id}", {"status": "disabled"}),
        ("POST", "/endpoints/{id}/secret", {"grace": 1}),
        ("POST", "/endpoints/{id}/replay", {"since": "2026-11-20T11:00:00Z", "form": "x"}),
    ],
)
async def test_an_unknown_field_is_refused_with_its_name(
    harness: Harness, receiver: Receiver, method: str, path: str, body: dict[str, str]
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    response = await change(harness, method, path.replace("{id}", id), **body)
    assert (response.status, response.code) == (400, "invalid_request")
    assert f"{list(body)[-1]} is not a parameter of this address." in response.json["error"]


@pytest.mark.parametrize(
    "events", [["conection.*"], ["*"], ["connection"], ["connection.connected", "x"], []]
)
async def test_an_unknown_type_of_event_is_refused(harness: Harness, events: list[str]) -> None:
    response = await harness.post("/endpoints", AS_SERVER, url="https://example.com", events=events)
    assert (response.status, response.code) == (400, "invalid_request")
    assert "events" in response.json["error"]


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.7/hook",
        "https://10.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:169.254.169.254]/hook",
        "https://224.0.0.1/hook",
        "https://me:secret@example.com/hook",
        "https://example.com:80/hook",
        "https://example.com/hook#x",
        "ftp://example.com/hook",
        "example.com",
    ],
)
async def test_an_address_that_may_not_be_called_is_refused(harness: Harness, url: str) -> None:
    response = await harness.post("/endpoints", AS_SERVER, url=url)
    assert (response.status, response.code) == (422, "endpoint_refused")
    assert (await read(harness, "/endpoints"))["endpoints"] == []


async def test_loopback_is_refused_by_number_and_by_name_unless_it_is_allowed(
    start_service: StartService, receiver: Receiver
) -> None:
    harness = await start_service()
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        response = await harness.post("/endpoints", AS_SERVER, url=url)
        assert (response.status, response.code) == (422, "endpoint_refused")


async def test_an_endpoint_is_changed_field_by_field(harness: Harness, receiver: Receiver) -> None:
    created = await create_endpoint(harness, receiver.url)
    path = f"/endpoints/{created['id']}"
    refused = await change(harness, "PATCH", path, url="https://10.0.0.1/")
    assert (refused.status, refused.code) == (422, "endpoint_refused")
    for field, value in (
        ("url", f"{receiver.url}?shop=1"),
        ("events", ["endpoint.*", "tiktok.authorization.removed"]),
        ("description", "x"),
        ("state", "disabled"),
    ):
        before = await read(harness, path)
        changed = await change(harness, "PATCH", path, **{field: value})
        reason = "Disabled by request." if value == "disabled" else None
        assert changed.json == before | {field: value, "disabled_reason": reason}
    nothing = await change(harness, "PATCH", path)
    assert (nothing.status, nothing.json["code"]) == (400, "invalid_request")
    response = await change(harness, "PATCH", path, state="paused")
    assert (response.status, response.code) == (400, "invalid_request")


async def test_an_endpoint_is_deleted_with_its_deliveries(
    harness: Harness, receiver: Receiver
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    await harness.connect()
    await number_events(harness)
    assert len((await read(harness, "/deliveries"))["deliveries"]) == 1
    assert (await change(harness, "DELETE", f"/endpoints/{id}")).json == {"success": True}
    assert await read(harness, "/deliveries") == {"deliveries": [], "next": None}
    assert (await change(harness, "DELETE", f"/endpoints/{id}")).status == 404


@pytest.mark.parametrize("id", [UNKNOWN_ID, "1", UNKNOWN_ID.upper(), "%00"])
async def test_an_unknown_endpoint_is_not_found(harness: Harness, id: str) -> None:
    since = {"since": "2026-11-20T11:00:00Z"}
    for method, path, body in (
        ("GET", "", {}),
        ("PATCH", "", {"description": "x"}),
        ("DELETE", "", {}),
        ("POST", "/secret", {}),
        ("POST", "/test", {}),
        ("POST", "/replay", since),
        ("GET", "/deliveries", {}),
    ):
        response = await change(harness, method, f"/endpoints/{id}{path}", **body)
        assert (response.status, response.code) == (404, "not_found")


async def test_the_endpoint_of_the_settings_is_changed_by_the_settings_only(
    start_service: StartService, receiver: Receiver
) -> None:
    harness = await start_service(
        CONNECTOR_WEBHOOK_URL=receiver.url, CONNECTOR_WEBHOOK_SECRET=SECRET, **LOOPBACK
    )
    await number_events(harness)
    [endpoint] = (await read(harness, "/endpoints"))["endpoints"]
    assert (endpoint["id"], endpoint["from_settings"]) == (CONFIGURED_ENDPOINT_ID, True)
    path = f"/endpoints/{CONFIGURED_ENDPOINT_ID}"
    for method, action, body in (
        ("PATCH", "", {"url": receiver.url}),
        ("DELETE", "", {}),
        ("POST", "/secret", {}),
    ):
        response = await change(harness, method, path + action, **body)
        assert (response.status, response.code) == (400, "invalid_request")
        assert "CONNECTOR_WEBHOOK_URL" in response.json["error"]
    assert (await change(harness, "PATCH", path, state="disabled")).json["state"] == "disabled"
    await harness.connect()
    assert SECRET not in (await harness.get("/endpoints", AS_SERVER)).text


async def test_a_test_is_sent_once_and_its_result_is_returned(
    harness: Harness, receiver: Receiver
) -> None:
    id = (await create_endpoint(harness, receiver.url))["id"]
    result = (await change(harness, "POST", f"/endpoints/{id}/test")).json
    assert result == {"delivered": True, "status": 200, "error": None, "duration_ms": 0}
    receiver.statuses = [500, 302]
    receiver.response_headers = {"Location": receiver.url}
    for status in (500, 302):
        result = (await change(harness, "POST", f"/endpoints/{id}/test")).json
        assert (result["delivered"], result["status"]) == (False, status)
        assert str(status) in result["error"]
    assert receiver.types == ["endpoint.test"] * 3
    assert receiver.received[0].json["seq"] is None
    assert (await read(harness, "/deliveries"))["deliveries"] == []


async def test_every_change_is_in_the_audit_and_no_read(
    harness: Harness, receiver: Receiver
) -> None:
    path = f"/endpoints/{(await create_endpoint(harness, receiver.url))['id']}"
    await change(harness, "PATCH", path, description="x")
    await change(harness, "POST", f"{path}/secret")
    await change(harness, "POST", f"{path}/test")
    await change(harness, "POST", f"{path}/replay", since="2026-11-20T11:00:00Z")
    for read_path in ("/endpoints", path, f"{path}/deliveries", "/deliveries", "/events"):
        await read(harness, read_path)
    await change(harness, "DELETE", path)
    await change(harness, "DELETE", path)
    await harness.service.audit.write()
    entries = (await read(harness, "/audit"))["entries"]
    assert {(entry["actor"], entry["peer"]) for entry in entries} == {(KEY_NAMES[0], "127.0.0.1")}
    assert sorted(entry["action"] for entry in entries) == [
        "create_endpoint",
        "delete_endpoint",
        "replay_events",
        "rotate_endpoint_secret",
        "test_endpoint",
        "update_endpoint",
    ]
