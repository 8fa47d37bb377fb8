"""The audit names who read a token or changed something, and only servers may read the audit."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.credentials import ANNA, KEY_NAMES
from tests.running_service import AS_SERVER

from .conftest import Harness, StartService


async def entries(harness: Harness, query: str = "") -> list[dict[str, Any]]:
    await harness.service.audit.write()
    response = await harness.get(f"/audit{query}", AS_SERVER)
    assert response.status == 200, response.text
    return list(response.json["entries"])


async def test_a_token_read_is_recorded_with_key_connection_user_request_and_peer(
    each_store: Harness,
) -> None:
    connection_id = (await each_store.connect())["connection_id"]
    headers = AS_SERVER | {"X-Request-Id": "request-1"}
    await each_store.get(f"/connections/{connection_id}/token", headers)
    await each_store.get(f"/token?user_id={ANNA}", headers)
    expected = {
        "at": "2026-11-20T12:00:00.000000+00:00",
        "actor": KEY_NAMES[0],
        "action": "read_token",
        "connection_id": connection_id,
        "user_id": ANNA,
        "request_id": "request-1",
        "peer": "127.0.0.1",
    }
    assert await entries(each_store) == [expected, expected]


async def test_a_token_that_could_not_be_read_is_not_recorded(harness: Harness) -> None:
    response = await harness.get(
        "/connections/11111111-2222-3333-4444-555555555555/token", AS_SERVER
    )
    assert response.status == 404
    assert await entries(harness) == []


async def test_changes_are_recorded_with_their_actor(harness: Harness) -> None:
    connected = await harness.connect(advertisers=2)
    id, advertiser = connected["connection_id"], connected["advertisers"][0]["id"]
    await harness.post("/tickets", AS_SERVER, user_id=ANNA)
    await harness.post("/advertisers/select", harness.as_user(), advertiser_id=advertiser)
    await harness.call("POST", f"/connections/{id}/refresh", headers=harness.as_user())
    await harness.call("DELETE", f"/connections/{id}", headers=AS_SERVER)
    recorded = [(e["action"], e["actor"], e["connection_id"]) for e in await entries(harness)]
    assert sorted(recorded, key=str) == [
        ("create_ticket", KEY_NAMES[0], None),
        ("disconnect", KEY_NAMES[0], id),
        ("refresh_token", "user", id),
        ("select_advertiser", "user", id),
    ]
    assert {e["user_id"] for e in await entries(harness)} == {ANNA}


async def test_a_token_in_the_response_of_an_exchange_is_recorded(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_RETURN_ACCESS_TOKEN="true")
    connection_id = (await harness.connect())["connection_id"]
    [entry] = await entries(harness)
    assert (entry["action"], entry["actor"]) == ("read_token", "person")
    assert entry["connection_id"] == connection_id


async def test_entries_are_filtered_and_paged(each_store: Harness) -> None:
    id = (await each_store.connect())["connection_id"]
    for _ in range(3):
        await each_store.get(f"/connections/{id}/token", AS_SERVER)
    await each_store.post("/tickets", AS_SERVER, user_id=ANNA)
    assert len(await entries(each_store, f"?connection_id={id}")) == 3
    assert len(await entries(each_store, f"?user_id={ANNA}&actor={KEY_NAMES[0]}")) == 4
    assert await entries(each_store, f"?actor={KEY_NAMES[1]}") == []
    first = (await each_store.get(f"/audit?connection_id={id}&limit=2", AS_SERVER)).json
    path = f"/audit?connection_id={id}&limit=2&after={first['next']}"
    second = (await each_store.get(path, AS_SERVER)).json
    assert (len(first["entries"]), len(second["entries"]), second["next"]) == (2, 1, None)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?conection_id=x", "conection_id is not a parameter of this address."),
        ("?limit=0", "limit must be at least 1."),
        ("?after=nonsense", "after must be the value of next on the previous page."),
        ("?after=MjAyNi0xMS0yMA", "after must be the value of next on the previous page."),
        ("?user_id=1%00", "user_id"),
    ],
)
async def test_a_wrong_parameter_is_refused_with_its_name(
    harness: Harness, query: str, message: str
) -> None:
    response = await harness.get(f"/audit{query}", AS_SERVER)
    assert (response.status, response.code) == (400, "invalid_request")
    assert message in response.json["error"]


@pytest.mark.parametrize(
    "content",
    [
        b"0001-01-01T00:00:00+23:59 1",
        b"9999-12-31T23:59:59.999999-23:59 1",
        b"2026-11-20T12:00:00 1",
        b"2026-11-20T12:00:00.000000+00:00 ",
        b"2026-11-20T12:00:00.000000+00:00 \0",
        b"2026-11-20T12:00:00.000000+00:00 \xff",
    ],
)
async def test_a_cursor_that_this_service_did_not_issue_is_refused(
    each_store: Harness, content: bytes
) -> None:
    after = base64.urlsafe_b64encode(content).decode().rstrip("=")
    response = await each_store.get(f"/audit?after={after}", AS_SERVER)
    assert (response.status, response.code) == (400, "invalid_request")
