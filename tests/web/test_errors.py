"""Every error code of the contract is caused over a real socket and has the same error shape."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from connector.errors import ConnectorError
from connector.model import UserId
from tests.credentials import ANNA
from tests.journal.disks import files_up_to
from tests.manual_clock import NOON
from tests.running_service import AS_SERVER
from tests.supabase_stack import Stack

from .conftest import Harness, Response, StartService

ERROR_FIELDS = {"success", "error", "code", "retryable", "request_id"}
UNKNOWN_ID = "11111111-2222-3333-4444-555555555555"


def error_codes(root: type[ConnectorError] = ConnectorError) -> set[str]:
    return {root.code}.union(*map(error_codes, root.__subclasses__()))


def assert_error(response: Response, status: int, code: str) -> Response:
    error = response.json
    assert (response.status, error["code"]) == (status, code)
    assert error.keys() - {"tiktok", "oldest"} == ERROR_FIELDS
    assert error["success"] is False
    assert error["request_id"] == response.headers["X-Request-Id"]
    assert error["error"].endswith(".")
    assert error["retryable"] is (status in (429, 503))
    assert ("Retry-After" in response.headers) is (status in (429, 503))
    return response


async def exchange(harness: Harness, **consent: object) -> Response:
    body = {"code": await harness.simulator.consent(**consent), "state": await harness.state()}  # type: ignore[arg-type]  # any fields of a consent
    return await harness.post("/oauth/exchange", **body)


async def test_400_invalid_request_if_the_state_is_missing(harness: Harness) -> None:
    response = assert_error(await harness.post("/oauth/exchange", code="c"), 400, "invalid_request")
    assert response.json["error"] == "state is missing."


async def test_400_invalid_state_if_the_state_is_forged(harness: Harness) -> None:
    assert_error(
        await harness.post("/oauth/exchange", code="c", state="forged"), 400, "invalid_state"
    )


async def test_410_state_expired_after_an_hour(harness: Harness) -> None:
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    harness.simulator.clock.advance(3601)
    assert_error(await harness.post("/oauth/exchange", **body), 410, "state_expired")


async def test_401_unauthenticated_without_credentials(harness: Harness) -> None:
    assert_error(await harness.get("/connections"), 401, "unauthenticated")


async def test_403_wrong_user_if_the_state_belongs_to_another_user(harness: Harness) -> None:
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    other_user = harness.as_user(UserId(UNKNOWN_ID))
    assert_error(await harness.post("/oauth/exchange", other_user, **body), 403, "wrong_user")


async def test_403_forbidden_if_a_user_requests_a_route_for_servers(harness: Harness) -> None:
    assert_error(await harness.get(f"/token?user_id={ANNA}", harness.as_user()), 403, "forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/connections/",
        "//",
        f"/connections/{UNKNOWN_ID}",
        "/connections/x",
        "/static/x",
    ],
)
async def test_404_not_found_for_an_unknown_path_or_connection(harness: Harness, path: str) -> None:
    assert_error(await harness.get(path, AS_SERVER), 404, "not_found")


async def test_405_method_not_allowed_names_the_allowed_methods(harness: Harness) -> None:
    response = await harness.call("PUT", "/connections", headers=AS_SERVER)
    assert assert_error(response, 405, "method_not_allowed").headers["Allow"] == "GET,HEAD"


async def test_413_too_large_if_the_body_exceeds_the_limit(harness: Harness) -> None:
    response = await harness.post("/oauth/exchange", code="c" * 65536, state="s")
    assert_error(response, 413, "too_large")


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
async def test_415_unsupported_media_type_if_the_body_is_not_utf_8_json(
    harness: Harness, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    response = await harness.call("POST", "/oauth/exchange", headers=headers, data=b"{}")
    assert_error(response, 415, "unsupported_media_type")


async def test_400_code_spent_if_the_code_was_used_before(harness: Harness) -> None:
    code = await harness.simulator.consent()
    for status in (200, 400):
        response = await harness.post("/oauth/exchange", code=code, state=await harness.state())
        assert response.status == status
    tiktok = assert_error(response, 400, "code_spent").json["tiktok"]
    assert tiktok["code"] == 40110
    assert tiktok["request_id"]


async def test_409_reconnect_required_after_the_grant_was_revoked(harness: Harness) -> None:
    connection_id = (await harness.connect(person="anna"))["connection_id"]
    await harness.simulator.post("/_sim/revoke", {"person": "anna"})
    response = await harness.post(f"/connections/{connection_id}/refresh", harness.as_user())
    assert assert_error(response, 409, "reconnect_required").json["tiktok"]["code"] == 40105
    assert_error(
        await harness.get(f"/connections/{connection_id}/token", AS_SERVER),
        409,
        "reconnect_required",
    )


async def test_409_superseded_if_a_disconnect_followed_the_consent(harness: Harness) -> None:
    connection_id = (await harness.connect())["connection_id"]
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    await harness.simulator.fault("oauth2/advertiser/get", "status", 500)
    assert_error(await harness.post("/oauth/exchange", **body), 503, "tiktok_unreachable")
    await harness.call("DELETE", f"/connections/{connection_id}", headers=harness.as_user())
    for _ in range(2):
        response = await harness.post("/oauth/exchange", **body)
        assert_error(response, 409, "superseded")
    connection = await harness.get(f"/connections/{connection_id}", harness.as_user())
    assert connection.json["status"] == "revoked"


async def test_422_unusable_user_id_before_the_code_is_sent_to_tiktok(
    start_service: StartService, stack: Stack
) -> None:
    stack.truncate()
    harness = await start_service(**stack.environment())
    state = await harness.state(user_id="user_2abc")
    response = await harness.post(
        "/oauth/exchange", code=await harness.simulator.consent(), state=state
    )
    assert "has the type uuid" in assert_error(response, 422, "unusable_user_id").json["error"]
    assert (await harness.simulator.stats())["exchanges"] == 0


async def test_422_no_advertisers_if_the_consent_grants_none(harness: Harness) -> None:
    response = await exchange(harness, advertisers=0)
    assert "Business Center" in assert_error(response, 422, "no_advertisers").json["error"]


async def test_422_unknown_advertiser_if_the_selected_advertiser_is_not_granted(
    harness: Harness,
) -> None:
    await harness.connect()
    response = await harness.post("/advertisers/select", harness.as_user(), advertiser_id="1")
    assert_error(response, 422, "unknown_advertiser")


async def test_429_slow_down_if_tiktok_limits_the_rate(harness: Harness) -> None:
    await harness.simulator.fault("oauth2/access_token", "code", 40100)
    response = assert_error(await exchange(harness), 429, "slow_down")
    assert int(response.headers["Retry-After"]) >= 1
    assert response.json["tiktok"]["code"] == 40100


async def test_502_tiktok_refused_if_tiktok_rejects_the_request(harness: Harness) -> None:
    await harness.simulator.fault("oauth2/access_token", "code", 40002)
    response = assert_error(await exchange(harness), 502, "tiktok_refused")
    assert response.json["tiktok"]["code"] == 40002


async def test_502_configuration_if_tiktok_rejects_the_app(start_service: StartService) -> None:
    harness = await start_service(TIKTOK_APP_ID="7002")
    await harness.simulator.post("/_sim/apps", {"id": "7002", "secret": "another"})
    await harness.simulator.fault("oauth2/access_token", "code", 40113)
    assert_error(await exchange(harness), 502, "configuration")


async def test_503_tiktok_unreachable_if_tiktok_closes_the_connection(harness: Harness) -> None:
    await harness.simulator.fault("oauth2/access_token", "drop_after_effect")
    response = assert_error(await exchange(harness), 503, "tiktok_unreachable")
    assert "tiktok" not in response.json


async def test_503_store_unreachable_before_the_code_is_sent_to_tiktok(
    start_service: StartService, stack: Stack
) -> None:
    stack.truncate()
    harness = await start_service(**stack.environment())
    body = {"code": await harness.simulator.consent(), "state": await harness.state()}
    with stack.gateway.failing("down"):
        response = await harness.post("/oauth/exchange", **body)
        ready = await harness.get("/readyz")
    assert_error(response, 503, "store_unreachable")
    assert_error(ready, 503, "store_unreachable")
    assert (await harness.simulator.stats())["exchanges"] == 0
    assert (await harness.post("/oauth/exchange", **body)).status == 200


async def test_503_busy_if_another_replica_never_completes_the_code(harness: Harness) -> None:
    """Another replica has claimed the code and never completes the exchange."""
    code, state = await harness.simulator.consent(), await harness.state()
    await harness.service.store.claim_code(
        hashlib.sha256(f"{code}\n{state}".encode()).hexdigest(),
        state_hash="state",
        user_id=ANNA,
        family="marketing",
        claimed_by="another",
        now=NOON,
        lease=timedelta(hours=1),
    )
    request = asyncio.create_task(harness.post("/oauth/exchange", code=code, state=state))
    clock = harness.simulator.clock
    # Six background loops sleep, and the request that waits for the code.
    await clock.until_asleep(7)
    clock.advance(60)
    assert_error(await request, 503, "busy")


async def test_503_journal_unwritable_without_the_name_of_a_file(
    start_service: StartService, stack: Stack
) -> None:
    harness = await start_service(**stack.environment())
    harness.service.journal.write_error = "The last write failed."
    with files_up_to(0):
        response = assert_error(await harness.get("/readyz"), 503, "journal_unwritable")
    assert str(harness.service.settings.journal) not in response.text


async def test_500_internal_error_reveals_nothing(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    connection_id = (await harness.connect())["connection_id"]
    with closing(sqlite3.connect(harness.service.settings.database)) as database, database:
        database.execute("update connections set scopes = '{canary'")
    response = assert_error(
        await harness.get(f"/connections/{connection_id}", AS_SERVER), 500, "internal_error"
    )
    assert "canary" not in response.text
    logged = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in logged] == [
        f"unexpected error request_id={response.json['request_id']}"
    ]


async def test_422_endpoint_refused_for_an_internal_address(harness: Harness) -> None:
    response = await harness.post("/endpoints", AS_SERVER, url="https://10.0.0.1/hook")
    assert_error(response, 422, "endpoint_refused")


async def test_409_endpoint_disabled_for_a_replay(harness: Harness) -> None:
    path = await create_endpoint(harness)
    await harness.call("PATCH", path, headers=AS_SERVER, json={"state": "disabled"})
    response = await harness.post(f"{path}/replay", AS_SERVER, since="2026-11-20T00:00:00Z")
    assert_error(response, 409, "endpoint_disabled")


async def test_410_events_gone_after_30_days(harness: Harness) -> None:
    path = await create_endpoint(harness)
    response = await harness.post(f"{path}/replay", AS_SERVER, since="2026-10-01T00:00:00Z")
    assert assert_error(response, 410, "events_gone").json["oldest"] == 1


async def create_endpoint(harness: Harness) -> str:
    """Returns its path. Nothing is sent to it."""
    response = await harness.post("/endpoints", AS_SERVER, url="https://[2606:4700::1]/hook")
    assert response.status == 201
    return f"/endpoints/{response.json['id']}"


def test_every_error_code_has_a_test_in_this_file() -> None:
    tested = {name.split("_", 2)[2] for name in globals() if name.startswith("test_")}
    assert all(any(name.startswith(word) for name in tested) for word in error_codes())
