"""Every code of the contract, reached over a real socket, in its one shape."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from connector.errors import ConnectorError
from tests.clocks import NOON
from tests.houses import AS_SERVER
from tests.people import ANNA
from tests.stack import Stack

from .conftest import Answer, Opening, Site

SHAPE = {"success", "error", "code", "retryable", "request_id"}
NOWHERE = "11111111-2222-3333-4444-555555555555"


def words(kind: type[ConnectorError] = ConnectorError) -> set[str]:
    return {kind.code}.union(*map(words, kind.__subclasses__()))


def is_told(answer: Answer, status: int, code: str) -> Answer:
    said = answer.said
    assert (answer.status, said["code"]) == (status, code)
    assert said.keys() - {"tiktok"} == SHAPE
    assert said["success"] is False
    assert said["request_id"] == answer.headers["X-Request-Id"]
    assert said["error"].endswith(".")
    assert said["retryable"] is (status in (429, 503))
    assert ("Retry-After" in answer.headers) is (status in (429, 503))
    return answer


async def exchanged(site: Site, **consent: object) -> Answer:
    body = {"code": await site.simulator.consent(**consent), "state": await site.state()}  # type: ignore[arg-type]  # whatever a consent takes
    return await site.post("/oauth/exchange", **body)


async def test_400_invalid_request(site: Site) -> None:
    answer = is_told(await site.post("/oauth/exchange", code="c"), 400, "invalid_request")
    assert answer.said["error"] == "state is missing."


async def test_400_invalid_state(site: Site) -> None:
    is_told(await site.post("/oauth/exchange", code="c", state="forged"), 400, "invalid_state")


async def test_410_state_expired(site: Site) -> None:
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    site.simulator.clock.turn(3601)
    is_told(await site.post("/oauth/exchange", **body), 410, "state_expired")


async def test_401_unauthenticated(site: Site) -> None:
    is_told(await site.get("/connections"), 401, "unauthenticated")


async def test_403_wrong_user(site: Site) -> None:
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    stranger = site.user(NOWHERE)  # type: ignore[arg-type]  # as good a user as any
    is_told(await site.post("/oauth/exchange", stranger, **body), 403, "wrong_user")


async def test_403_forbidden(site: Site) -> None:
    is_told(await site.get(f"/token?user_id={ANNA}", site.user()), 403, "forbidden")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/connections/", "//", f"/connections/{NOWHERE}", "/connections/x", "/static/x"],
)
async def test_404_not_found(site: Site, path: str) -> None:
    is_told(await site.get(path, AS_SERVER), 404, "not_found")


async def test_405_method_not_allowed(site: Site) -> None:
    answer = await site.call("PUT", "/connections", headers=AS_SERVER)
    assert is_told(answer, 405, "method_not_allowed").headers["Allow"] == "GET,HEAD"


async def test_413_too_large(site: Site) -> None:
    answer = await site.post("/oauth/exchange", code="c" * 65536, state="s")
    is_told(answer, 413, "too_large")


@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
)
async def test_415_unsupported_media_type(site: Site, type: str) -> None:
    headers = {"Content-Type": type}
    answer = await site.call("POST", "/oauth/exchange", headers=headers, data=b"{}")
    is_told(answer, 415, "unsupported_media_type")


async def test_400_code_spent(site: Site) -> None:
    code = await site.simulator.consent()
    for status in (200, 400):
        answer = await site.post("/oauth/exchange", code=code, state=await site.state())
        assert answer.status == status
    tiktok = is_told(answer, 400, "code_spent").said["tiktok"]
    assert tiktok["code"] == 40110
    assert tiktok["request_id"]


async def test_409_reconnect_required(site: Site) -> None:
    id = (await site.connected(person="anna"))["connection_id"]
    await site.simulator.post("/_sim/revoke", {"person": "anna"})
    answer = await site.post(f"/connections/{id}/refresh", site.user())
    assert is_told(answer, 409, "reconnect_required").said["tiktok"]["code"] == 40105
    is_told(await site.get(f"/connections/{id}/token", AS_SERVER), 409, "reconnect_required")


async def test_422_no_advertisers(site: Site) -> None:
    answer = await exchanged(site, advertisers=0)
    assert "Business Center" in is_told(answer, 422, "no_advertisers").said["error"]


async def test_422_unknown_advertiser(site: Site) -> None:
    await site.connected()
    answer = await site.post("/advertisers/select", site.user(), advertiser_id="1")
    is_told(answer, 422, "unknown_advertiser")


async def test_429_slow_down(site: Site) -> None:
    await site.simulator.fault("oauth2/access_token", "code", 40100)
    answer = is_told(await exchanged(site), 429, "slow_down")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.said["tiktok"]["code"] == 40100


async def test_502_tiktok_refused(site: Site) -> None:
    await site.simulator.fault("oauth2/access_token", "code", 40002)
    answer = is_told(await exchanged(site), 502, "tiktok_refused")
    assert answer.said["tiktok"]["code"] == 40002


async def test_502_configuration(opening: Opening) -> None:
    site = await opening(TIKTOK_APP_ID="7002")
    await site.simulator.post("/_sim/apps", {"id": "7002", "secret": "another"})
    await site.simulator.fault("oauth2/access_token", "code", 40113)
    is_told(await exchanged(site), 502, "configuration")


async def test_503_tiktok_unreachable(site: Site) -> None:
    await site.simulator.fault("oauth2/access_token", "drop_after_effect")
    answer = is_told(await exchanged(site), 503, "tiktok_unreachable")
    assert "tiktok" not in answer.said


async def test_503_store_unreachable_and_the_code_was_not_sent(
    opening: Opening, stack: Stack
) -> None:
    stack.truncate()
    site = await opening(**stack.environment())
    body = {"code": await site.simulator.consent(), "state": await site.state()}
    with stack.gateway.failing("down"):
        answer = await site.post("/oauth/exchange", **body)
        ready = await site.get("/readyz")
    is_told(answer, 503, "store_unreachable")
    is_told(ready, 503, "store_unreachable")
    assert (await site.simulator.stats())["exchanges"] == 0
    assert (await site.post("/oauth/exchange", **body)).status == 200


async def test_503_busy(site: Site) -> None:
    """Another replica holds the code, and does not come back."""
    code, state = await site.simulator.consent(), await site.state()
    await site.house.store.claim_code(
        hashlib.sha256(f"{code}\n{state}".encode()).hexdigest(),
        user_id=ANNA,
        family="marketing",
        holder="another",
        now=NOON,
        until=NOON + timedelta(hours=1),
    )
    posted = asyncio.create_task(site.post("/oauth/exchange", code=code, state=state))
    clock = site.simulator.clock
    await clock.until_asleep(3)  # The house's two loops, and whoever waits for the code.
    clock.turn(60)
    is_told(await posted, 503, "busy")


async def test_503_journal_unwritable_without_the_name_of_a_file(site: Site) -> None:
    site.house.journal.trouble = "The journal /data/connector.journal cannot be written: full."
    answer = is_told(await site.get("/readyz"), 503, "journal_unwritable")
    assert "/data" not in answer.text


async def test_500_internal_error_tells_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    id = (await site.connected())["connection_id"]
    with closing(sqlite3.connect(site.house.settings.database)) as database, database:
        database.execute("update connections set scopes = '{canary'")
    answer = is_told(await site.get(f"/connections/{id}", AS_SERVER), 500, "internal_error")
    assert "canary" not in answer.text
    broke = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in broke] == [
        f"broke request={answer.said['request_id']}"
    ]


def test_no_code_is_left_out_here() -> None:
    reached = {name.split("_", 2)[2] for name in globals() if name.startswith("test_")}
    assert all(any(name.startswith(word) for name in reached) for word in words())
