"""Wrong credentials and invented codes are slowed down; valid credentials never are."""

from __future__ import annotations

import logging
from collections import Counter

import pytest
from multidict import CIMultiDict

from connector.identity.credential_limiter import (
    MAX_FAILURES_PER_BEGINNING,
    MAX_FAILURES_PER_PEER,
    WINDOW_SECONDS,
)
from tests.credentials import NOON_TIMESTAMP, hs256_jwt
from tests.running_service import AS_SERVER

from .conftest import Harness, Response, StartService
from .test_errors import assert_error

Headers = dict[str, str]


def wrong_key(beginning: str, *, forwarded_for: str | None = None) -> Headers:
    headers = {"X-API-Key": f"{beginning:x<8}-wrong-key"}
    return headers if forwarded_for is None else headers | {"X-Forwarded-For": forwarded_for}


async def statuses(harness: Harness, requests: list[Headers]) -> Counter[int]:
    return Counter([(await harness.get("/connections", headers)).status for headers in requests])


async def test_wrong_keys_with_one_beginning_are_slowed_down(harness: Harness) -> None:
    requests = [wrong_key("guess")] * 25
    counts = await statuses(harness, requests)
    assert counts == {401: MAX_FAILURES_PER_BEGINNING, 429: 25 - MAX_FAILURES_PER_BEGINNING}
    response = await harness.get("/connections", wrong_key("guess"))
    assert_error(response, 429, "slow_down")
    assert 0 < int(response.headers["Retry-After"]) <= WINDOW_SECONDS
    assert response.json["retryable"]
    assert (await harness.get("/connections", wrong_key("other"))).status == 401


async def test_wrong_keys_of_one_peer_are_slowed_down(harness: Harness) -> None:
    counts = await statuses(harness, [wrong_key(f"{n}") for n in range(100)])
    assert counts == {401: MAX_FAILURES_PER_PEER, 429: 100 - MAX_FAILURES_PER_PEER}


async def test_valid_credentials_are_never_slowed_down(harness: Harness) -> None:
    beginning = AS_SERVER["Authorization"].removeprefix("Bearer ")[:8]
    await statuses(harness, [wrong_key(beginning)] * 50 + [wrong_key(f"{n}") for n in range(50)])
    for headers in (AS_SERVER, harness.as_user(), {"Authorization": f"Bearer {hs256_jwt()}"}):
        assert (await harness.get("/connections", headers)).status == 200


async def test_a_slowed_down_peer_may_try_again_after_the_window(harness: Harness) -> None:
    await statuses(harness, [wrong_key("guess")] * 20)
    harness.simulator.clock.advance(WINDOW_SECONDS)
    assert (await harness.get("/connections", wrong_key("guess"))).status == 401


async def test_expired_credentials_are_not_counted(harness: Harness) -> None:
    ticket = harness.as_user()
    harness.simulator.clock.advance(1800)
    expired_jwt = {"Authorization": f"Bearer {hs256_jwt(exp=NOON_TIMESTAMP - 60)}"}
    assert await statuses(harness, [ticket, expired_jwt] * 50) == {401: 100}


async def test_wrong_credentials_at_the_exchange_are_slowed_down_too(harness: Harness) -> None:
    responses = [
        await harness.post("/oauth/exchange", wrong_key("guess"), code="c", state="s")
        for _ in range(12)
    ]
    assert [response.status for response in responses][-2:] == [429, 429]


async def test_a_limited_request_is_counted_and_logged_once(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await statuses(harness, [wrong_key("guess")] * (MAX_FAILURES_PER_BEGINNING + 5))
    metrics = harness.service.metrics.render().decode()
    assert 'connector_limited_requests_total{limit="credential"} 5.0' in metrics
    assert [record.getMessage() for record in caplog.records] == [
        "requests refused after failures limit=credential peer=127.0.0.1"
    ]


# Behind a proxy


async def test_a_private_peer_that_is_not_trusted_is_not_limited_by_peer_and_logged_once(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    requests = [wrong_key(f"{n}", forwarded_for="203.0.113.7") for n in range(100)]
    assert await statuses(harness, requests) == {401: 100}
    [warning] = [record.getMessage() for record in caplog.records]
    assert "CONNECTOR_TRUSTED_PROXIES" in warning
    assert warning.endswith("peer=127.0.0.1")


async def test_the_peers_behind_a_trusted_proxy_are_limited_one_by_one(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8")
    requests = [wrong_key(f"{n}", forwarded_for="203.0.113.7") for n in range(100)]
    assert (await statuses(harness, requests))[401] == MAX_FAILURES_PER_PEER
    others = [wrong_key(f"a{n}", forwarded_for=f"203.0.114.{n}") for n in range(100)]
    assert await statuses(harness, others) == {401: 100}


@pytest.mark.parametrize(
    ("forwarded_for", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("203.0.113.7, unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
async def test_a_trusted_proxy_names_the_peer_in_the_audit(
    start_service: StartService, forwarded_for: str, expected: str
) -> None:
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8")
    assert await audited_peer(harness, forwarded_for) == expected


async def test_a_trusted_proxy_may_add_a_header_of_its_own(start_service: StartService) -> None:
    """The caller wrote the first header."""
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.1")
    assert await audited_peer(harness, "6.6.6.6", "203.0.113.7") == "203.0.113.7"


async def test_a_trusted_proxy_that_names_nobody_is_not_limited_as_a_peer(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.1")
    assert await statuses(harness, [wrong_key(f"{n}") for n in range(100)]) == {401: 100}


async def test_a_peer_that_is_not_trusted_cannot_name_another_peer(harness: Harness) -> None:
    assert await audited_peer(harness, "203.0.113.7") == "127.0.0.1"


async def test_the_addresses_of_one_ipv6_network_are_one_peer(start_service: StartService) -> None:
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.1")
    requests = [wrong_key(f"{n}", forwarded_for=f"2001:db8::{n:x}") for n in range(100)]
    assert (await statuses(harness, requests))[401] == MAX_FAILURES_PER_PEER


async def audited_peer(harness: Harness, *forwarded_for: str) -> str:
    connection_id = (await harness.connect())["connection_id"]
    headers = CIMultiDict(AS_SERVER)
    for value in forwarded_for:
        headers.add("X-Forwarded-For", value)
    await harness.get(f"/connections/{connection_id}/token", headers)
    await harness.service.audit.write()
    return str((await harness.get("/audit", AS_SERVER)).json["entries"][0]["peer"])


# Codes


async def test_the_codes_of_one_peer_are_limited_unless_a_server_posts_them(
    start_service: StartService,
) -> None:
    harness = await start_service(CONNECTOR_TRUSTED_PROXIES="127.0.0.1")

    async def post(n: int, **headers: str) -> Response:
        state = await harness.state(user_id=f"0b5e7a52-91c4-4f0e-8a1d-{n:012}")
        return await harness.post("/oauth/exchange", headers, code=f"{n}", state=state)

    from_peer = [await post(n, **{"X-Forwarded-For": "203.0.113.7"}) for n in range(40)]
    assert Counter(response.code for response in from_peer) == {"code_spent": 30, "slow_down": 10}
    assert int(from_peer[-1].headers["Retry-After"]) > 0
    through_proxy = AS_SERVER | {"X-Forwarded-For": "203.0.113.8"}
    from_server = [await post(100 + n, **through_proxy) for n in range(40)]
    assert {response.code for response in from_server} == {"code_spent"}
